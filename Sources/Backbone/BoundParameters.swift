// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Networks
import Runtime

@_cdecl("backbone_bind_parameters") @implementation
public func backbone_bind_parameters(
    _ net: OpaquePointer!, _ parameters: UnsafeMutablePointer<Float>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try session.changing { network throws(BackboneError) in
            guard let parameters else { return try network.unbindParameters() }
            guard count == network.graph.parameterCount else {
                throw BackboneError(
                    .invalidArgument,
                    "count is \(count), expected \(network.graph.parameterCount): all parameters, trainable or not")
            }
            guard UInt(bitPattern: parameters) % UInt(MemoryLayout<Float>.alignment) == 0 else {
                throw BackboneError(.invalidArgument, "parameters is not aligned to 4 bytes; pass an array of float")
            }
            try network.bindParameters(to: parameters)
        }
    }
}

@_cdecl("backbone_parameters_changed") @implementation
public func backbone_parameters_changed(
    _ net: OpaquePointer!, _ entries: UnsafePointer<Int>!, _ count: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try session.changing { network throws(BackboneError) in
            guard let entries else { return network.noteChangeOfAll() }
            guard count >= 0 else {
                throw BackboneError(.invalidArgument, "count is larger than any memory; pass the number of entries")
            }
            for index in 0..<count { _ = try network.checkedEntry(entries[index]) }
            for index in 0..<count { network.noteChange(of: network.graph.entries[entries[index]]) }
        }
    }
}
