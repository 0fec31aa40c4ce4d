// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Runtime

@_cdecl("backbone_warning_count") @implementation
public func backbone_warning_count(_ net: OpaquePointer!, _ out: UnsafeMutablePointer<Int>!) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try require(out, "out").pointee = session.warningCount
    }
}

@_cdecl("backbone_get_warning") @implementation
public func backbone_get_warning(
    _ net: OpaquePointer!, _ index: Int, _ out: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        let count = session.warningCount
        guard index >= 0 && index < count else {
            throw BackboneError(
                .invalidArgument, "index is \(index), expected less than \(count), the number of warnings")
        }
        out.pointee = session.warning(index)
    }
}
