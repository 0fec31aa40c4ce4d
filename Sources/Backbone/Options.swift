// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Networks
import Runtime

/// Sizes of `backbone_options` that programs may pass: from that of the first published version to one beyond which a
/// size is surely not meant.
private let firstOptionsSize = 56
private let maximumOptionsSize = 4096

extension backbone_options {
    static var defaults: backbone_options {
        var options = backbone_options()
        options.struct_size = UInt32(MemoryLayout<backbone_options>.size)
        options.depth = 50
        options.in_channels = 3
        options.base_channels = 64
        options.out_stages = UInt32(BACKBONE_STAGE_ALL)
        options.frozen_stages = -1
        return options
    }

    /// A caller's options, of an older or newer version of the struct than this one.
    ///
    /// Fields that the caller does not know have their defaults; bytes that this version does not know must be zero.
    init(_ pointer: UnsafePointer<backbone_options>) throws(BackboneError) {
        self = .defaults
        let size = Int(pointer.pointee.struct_size)
        try checkOptionsSize(size)
        let known = MemoryLayout<backbone_options>.size
        let bytes = UnsafeRawPointer(pointer)
        withUnsafeMutableBytes(of: &self) { own in
            own.baseAddress?.copyMemory(from: bytes, byteCount: min(size, known))
        }
        struct_size = UInt32(known)
        for offset in min(size, known)..<size where bytes.load(fromByteOffset: offset, as: UInt8.self) != 0 {
            throw BackboneError(
                .invalidArgument,
                "options.struct_size is \(size) and byte \(offset) is set: this library knows \(known) bytes")
        }
    }

    /// Writes these options to a caller's struct, as much of them as it has room for.
    func write(to pointer: UnsafeMutablePointer<backbone_options>, size: Int) {
        var copy = self
        copy.struct_size = UInt32(size)
        let out = UnsafeMutableRawPointer(pointer)
        memset(out, 0, size)
        withUnsafeBytes(of: copy) { own in
            guard let start = own.baseAddress else { return }
            out.copyMemory(from: start, byteCount: min(size, own.count))
        }
    }
}

func checkOptionsSize(_ size: Int) throws(BackboneError) {
    guard size >= firstOptionsSize && size <= maximumOptionsSize else {
        throw BackboneError(
            .invalidArgument,
            "struct_size of the options is \(size), expected sizeof(backbone_options), here \(MemoryLayout<backbone_options>.size)"
        )
    }
}

@_cdecl("backbone_options_init") @implementation
public func backbone_options_init(
    _ options: UnsafeMutablePointer<backbone_options>!, _ struct_size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let options = try require(options, "options")
        try checkOptionsSize(struct_size)
        backbone_options.defaults.write(to: options, size: struct_size)
    }
}
