// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Execution
import Loading
import Runtime

@_cdecl("backbone_inspect") @implementation
public func backbone_inspect(
    _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out_report, "out_report")
        out.pointee = nil
        let path = try require(path, "path")
        let request = try LoadRequest(options)
        try inspect(try request.open(path: path), request, out)
    }
}

@_cdecl("backbone_inspect_memory") @implementation
public func backbone_inspect_memory(
    _ data: UnsafeRawPointer!, _ size: Int, _ options: UnsafePointer<backbone_load_options>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let out = try require(out_report, "out_report")
        out.pointee = nil
        let memory = try requireMemory(data, size)
        let request = try LoadRequest(options)
        try inspect(try request.open(memory: memory), request, out)
    }
}

@_cdecl("backbone_create_from_file") @implementation
public func backbone_create_from_file(
    _ path: UnsafePointer<CChar>!, _ options: UnsafePointer<backbone_options>!,
    _ load_options: UnsafePointer<backbone_load_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let out = try require(out, "out")
        out.pointee = nil
        let path = try require(path, "path")
        let network = try NetworkRequest(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try request.open(path: path), network, request, out_report).handle
    }
}

@_cdecl("backbone_create_from_memory") @implementation
public func backbone_create_from_memory(
    _ data: UnsafeRawPointer!, _ size: Int, _ options: UnsafePointer<backbone_options>!,
    _ load_options: UnsafePointer<backbone_load_options>!, _ out: UnsafeMutablePointer<OpaquePointer?>!,
    _ out_report: UnsafeMutablePointer<OpaquePointer?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        out_report?.pointee = nil
        let out = try require(out, "out")
        out.pointee = nil
        let memory = try requireMemory(data, size)
        let network = try NetworkRequest(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try request.open(memory: memory), network, request, out_report).handle
    }
}
