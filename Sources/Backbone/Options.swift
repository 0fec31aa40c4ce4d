// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Networks
import Runtime

private var versions: VersionedStruct {
    VersionedStruct(name: "backbone_options", firstSize: 56, size: MemoryLayout<backbone_options>.size)
}

extension backbone_options {
    static var defaults: backbone_options {
        var options = backbone_options()
        options.struct_size = UInt32(MemoryLayout<backbone_options>.size)
        options.depth = 50
        options.in_channels = 3
        options.base_channels = 64
        options.out_stages = UInt32(BACKBONE_STAGE_ALL)
        options.frozen_stages = -1
        options.norm_eps = BatchNorm.defaultEpsilon
        return options
    }

    /// A caller's options, of an older or newer version of the struct than this one.
    init(_ pointer: UnsafePointer<backbone_options>) throws(BackboneError) {
        self = .defaults
        try versions.read(pointer, into: &self)
    }

    /// Writes these options to a caller's struct, as much of them as it has room for.
    func write(to pointer: UnsafeMutablePointer<backbone_options>, size: Int) {
        var copy = self
        versions.write(&copy, to: pointer, size: size)
    }
}

func checkOptionsSize(_ size: Int) throws(BackboneError) { try versions.check(size: size) }

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
