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
        try session.initializeWeights(seed: seed, session.enter())
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
        let cancellation = session.enter()
        let path = try require(path, "path")
        let request = try LoadRequest(strict: strict)
        try load(try request.open(path: path, cancellation), request, session, out_report)
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
        let cancellation = session.enter()
        let path = try require(path, "path")
        let request = try LoadRequest(options)
        try load(try request.open(path: path, cancellation), request, session, out_report)
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
        let cancellation = session.enter()
        let memory = try requireMemory(data, size)
        let request = try LoadRequest(options)
        try load(try request.open(memory: memory, cancellation), request, session, out_report)
    }
}

@_cdecl("backbone_save_weights") @implementation
public func backbone_save_weights(_ net: OpaquePointer!, _ path: UnsafePointer<CChar>!) -> backbone_status {
    status { () throws(BackboneError) in
        try save(try session(net), to: try require(path, "path"), names: nil)
    }
}

@_cdecl("backbone_save_weights_with")
@implementation
public func backbone_save_weights_with(
    _ net: OpaquePointer!, _ path: UnsafePointer<CChar>!, _ names: UnsafePointer<CChar>!
) -> backbone_status {
    status { () throws(BackboneError) in
        try save(try session(net), to: try require(path, "path"), names: names)
    }
}
