// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Checkpoints
import Runtime

/// What a caller asks of a load. Texts and the map are borrowed for the time of the call.
struct LoadRequest {
    var isStrict = false
    var selection = StateDictSelection()
    var conversion = InputConversion.exact
    var maxStreamBytes = Limits.streamBytes

    init(strict: Int32) throws(BackboneError) { isStrict = try requireFlag(strict, "strict") }

    /// - Parameter options: nil for the defaults.
    init(_ options: UnsafePointer<backbone_load_options>?) throws(BackboneError) {
        guard let pointer = options else { return }
        let options = try backbone_load_options(pointer)
        isStrict = try requireFlag(options.strict, "strict")
        selection = StateDictSelection(key: bytes(options.key), prefix: bytes(options.prefix))
        conversion = try InputConversion(options)
        if options.max_stream_bytes != 0 { maxStreamBytes = Int(clamping: options.max_stream_bytes) }
    }

    /// Opens the file or reads the stream that a path names. No lock may be held: a stream may keep one waiting.
    func open(
        _ path: UnsafePointer<CChar>, _ cancellation: Cancellation = .none
    ) throws(BackboneError) -> StateDict {
        try StateDict(path: path, selection, maxStreamBytes: maxStreamBytes, cancellation)
    }
}

private func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8>? {
    guard let text else { return nil }
    return UnsafeBufferPointer(
        start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
}

private var versions: VersionedStruct {
    VersionedStruct(name: "backbone_load_options", firstSize: 40, size: MemoryLayout<backbone_load_options>.size)
}

extension backbone_load_options {
    fileprivate init(_ pointer: UnsafePointer<backbone_load_options>) throws(BackboneError) {
        self = backbone_load_options()
        try versions.read(pointer, into: &self)
    }
}

@_cdecl("backbone_load_options_init") @implementation
public func backbone_load_options_init(
    _ options: UnsafeMutablePointer<backbone_load_options>!, _ struct_size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let options = try require(options, "options")
        try versions.check(size: struct_size)
        // All defaults are zero.
        var defaults = backbone_load_options()
        versions.write(&defaults, to: options, size: struct_size)
    }
}
