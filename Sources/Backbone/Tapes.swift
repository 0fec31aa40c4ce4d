// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Runtime

private let tapeOptions = VersionedStruct(
    name: "backbone_tape_options", firstSize: 16, size: MemoryLayout<backbone_tape_options>.size)

/// The tape of a handle.
func requireTape(_ tape: OpaquePointer?) throws(BackboneError) -> Tape { Tape(handle: try require(tape, "tape")) }

@_cdecl("backbone_tape_options_init") @implementation
public func backbone_tape_options_init(
    _ options: UnsafeMutablePointer<backbone_tape_options>!, _ struct_size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let options = try require(options, "options")
        try tapeOptions.check(size: struct_size)
        var defaults = backbone_tape_options()
        tapeOptions.write(&defaults, to: options, size: struct_size)
    }
}

@_cdecl("backbone_tape_create") @implementation
public func backbone_tape_create(
    _ net: OpaquePointer!, _ options: UnsafePointer<backbone_tape_options>!,
    _ out: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out, "out")
        out.pointee = nil
        out.pointee = try Tape(try session(net).identity, try TapeOptions(options)).handle
    }
}

extension TapeOptions {
    /// - Parameter options: nil for the defaults.
    fileprivate init(_ options: UnsafePointer<backbone_tape_options>?) throws(BackboneError) {
        self.init()
        guard let options else { return }
        var own = backbone_tape_options()
        try tapeOptions.read(options, into: &own)
        wantsInputGradient = try requireFlag(own.input_gradient, "input_gradient")
        isRetained = try requireFlag(own.retain, "retain")
        recomputes = try requireFlag(own.recompute, "recompute")
    }
}

@_cdecl("backbone_tape_free") @implementation
public func backbone_tape_free(_ tape: OpaquePointer!) {
    guard let tape else { return }
    Tape(handle: tape).destroy()
}

@_cdecl("backbone_tape_bytes") @implementation
public func backbone_tape_bytes(
    _ net: OpaquePointer!, _ tape: OpaquePointer!, _ out: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let (session, tape) = (try session(net), try requireTape(tape))
        try require(out, "out").pointee = session.byteCount(of: tape)
    }
}
