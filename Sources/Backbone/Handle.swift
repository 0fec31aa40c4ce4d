// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Loading
import Runtime

/// The session of a handle.
func session(_ net: OpaquePointer?) throws(BackboneError) -> Session {
    Session(handle: try require(net, "net"))
}

@_cdecl("backbone_create") @implementation
public func backbone_create(
    _ options: UnsafePointer<backbone_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out, "out")
        out.pointee = nil
        out.pointee = try NetworkRequest(options).makeSession().handle
    }
}

@_cdecl("backbone_free") @implementation
public func backbone_free(_ net: OpaquePointer!) {
    guard let net else { return }
    Session(handle: net).destroy()
}

@_cdecl("backbone_get_options") @implementation
public func backbone_get_options(
    _ net: OpaquePointer!, _ out: UnsafeMutablePointer<backbone_options>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        let size = Int(out.pointee.struct_size)
        try checkOptionsSize(size)
        let options = backbone_options(session)
        guard options.isHeld(bySize: size, session.configuration) else {
            throw BackboneError(
                .invalidArgument,
                "the network is '\(options.architecture)' with \(options.num_classes) classes, and struct_size \(size) has no room to say so"
            )
        }
        options.write(to: out, size: size)
    }
}
