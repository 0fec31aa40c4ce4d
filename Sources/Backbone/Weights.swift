// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Execution
import Loading
import Networks
import Runtime

@_cdecl("backbone_init_weights") @implementation
public func backbone_init_weights(_ net: OpaquePointer!, _ seed: UInt64) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try session.changing { network throws(BackboneError) in try network.initializeWeights(seed: seed) }
        session.noteExpectedScale(pixels: nil)
    }
}

@_cdecl("backbone_load_weights") @implementation
public func backbone_load_weights(
    _ net: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ strict: Int32,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let session = try session(net)
        let path = try require(path, "path")
        let request = try LoadRequest(strict: strict)
        try load(try request.open(path: path), request, session, out_report)
    }
}

@_cdecl("backbone_load_weights_with") @implementation
public func backbone_load_weights_with(
    _ net: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let session = try session(net)
        let path = try require(path, "path")
        let request = try LoadRequest(options)
        try load(try request.open(path: path), request, session, out_report)
    }
}

@_cdecl("backbone_load_weights_from_memory") @implementation
public func backbone_load_weights_from_memory(
    _ net: OpaquePointer!, _ data: UnsafeRawPointer!, _ size: Int, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let session = try session(net)
        let memory = try requireMemory(data, size)
        let request = try LoadRequest(options)
        try load(try request.open(memory: memory), request, session, out_report)
    }
}

@_cdecl("backbone_save_weights") @implementation
public func backbone_save_weights(_ net: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let path = try require(path, "path")
        try session.readingValues { network throws(BackboneError) in
            var sources = UniqueArray<TensorSource>()
            try sources.reserve(network.entries.count)
            for index in 0..<network.entries.count {
                let entry = network.entries[index]
                let (name, shape) = (network.name(of: entry), network.shape(ofEntry: index))
                let address = UnsafeRawPointer(network.address(of: entry))
                sources.appendReserved(
                    entry.role == .batchesTracked
                        ? TensorSource(name: name, shape: shape, int64: address.assumingMemoryBound(to: Int64.self))
                        : TensorSource(name: name, shape: shape, float32: address.assumingMemoryBound(to: Float.self)))
            }
            try writeCheckpoint(sources, to: path)
        }
    }
}
