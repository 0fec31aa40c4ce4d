// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Loading
import Runtime

extension LoadRequest {
    /// The short form of the function that loads.
    init(strict: Int32) throws(BackboneError) {
        self.init()
        isStrict = try requireFlag(strict, "strict")
    }

    /// - Parameter options: nil for the defaults.
    init(_ options: UnsafePointer<backbone_load_options>?) throws(BackboneError) {
        self.init()
        guard let pointer = options else { return }
        let options = try backbone_load_options(pointer)
        isStrict = try requireFlag(options.strict, "strict")
        allowsMissing = try requireFlag(options.allow_missing, "allow_missing")
        ignoresModules = try requireFlag(options.ignore_modules, "ignore_modules")
        selection = StateDictSelection(
            key: options.key.map { bytes(ofCString: $0) }, prefix: options.prefix.map { bytes(ofCString: $0) })
        conversion = try InputConversion(options)
        guard options.reserved == 0 else {
            throw BackboneError(.invalidArgument, "load_options.reserved is \(options.reserved), expected 0")
        }
        switch Int(options.head) {
        case Int(BACKBONE_HEAD_EXACT): keepsHead = false
        case Int(BACKBONE_HEAD_NEW): keepsHead = true
        default:
            throw BackboneError(.invalidArgument, "head is \(options.head), expected 0 (exact) or 1 (new)")
        }
        if options.max_stream_bytes != 0 { maxStreamBytes = Int(clamping: options.max_stream_bytes) }
    }
}

extension InputConversion {
    fileprivate init(_ options: backbone_load_options) throws(BackboneError) {
        let isMap = options.input_channels == Int32(BACKBONE_INPUT_CHANNELS_MAP)
        guard isMap || (options.channel_map == nil && options.channel_map_length == 0) else {
            throw BackboneError(
                .invalidArgument,
                "channel_map is set, but input_channels is \(options.input_channels); set it to 3 (map)")
        }
        switch Int(options.input_channels) {
        case Int(BACKBONE_INPUT_CHANNELS_EXACT): self = .exact
        case Int(BACKBONE_INPUT_CHANNELS_FIXED): self = .fixed
        case Int(BACKBONE_INPUT_CHANNELS_SUM): self = .sum
        case Int(BACKBONE_INPUT_CHANNELS_REPEAT): self = .repeat
        case Int(BACKBONE_INPUT_CHANNELS_MAP):
            let map = try require(options.channel_map, "channel_map")
            self = .map(UnsafeBufferPointer(start: map, count: max(Int(options.channel_map_length), 0)))
        default:
            throw BackboneError(
                .invalidArgument,
                """
                input_channels is \(options.input_channels), expected 0 (exact), 1 (sum), 2 (repeat), 3 (map) or 4 \
                (fixed)
                """
            )
        }
    }
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
