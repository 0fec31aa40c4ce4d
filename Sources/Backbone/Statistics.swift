// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Networks
import Runtime

@_cdecl("backbone_statistics_begin") @implementation
public func backbone_statistics_begin(_ net: OpaquePointer!) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network throws(BackboneError) in try network.beginStatistics() }
    }
}

@_cdecl("backbone_statistics_add") @implementation
public func backbone_statistics_add(
    _ net: OpaquePointer!, _ input: UnsafePointer<backbone_tensor>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let cancellation = session.enter()
        try session.addStatistics(try TensorView(try require(input, "input").pointee, "input"), cancellation)
    }
}

@_cdecl("backbone_statistics_commit") @implementation
public func backbone_statistics_commit(_ net: OpaquePointer!) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network throws(BackboneError) in try network.commitStatistics() }
    }
}

@_cdecl("backbone_statistics_cancel") @implementation
public func backbone_statistics_cancel(_ net: OpaquePointer!) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network in network.cancelStatistics() }
    }
}
