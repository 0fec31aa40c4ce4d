// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Execution
import Loading
import Networks
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
        let options = try optionsOrDefaults(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try request.open(path: path), options, request, out_report)
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
        let options = try optionsOrDefaults(options)
        let request = try LoadRequest(load_options)
        out.pointee = try create(try request.open(memory: memory), options, request, out_report)
    }
}

private func optionsOrDefaults(
    _ options: UnsafePointer<backbone_options>?
) throws(BackboneError) -> backbone_options {
    guard let options else { return .defaults }
    return try backbone_options(options)
}

/// Creates the network that an open checkpoint describes with the caller's options, and loads it.
private func create(
    _ stateDict: borrowing StateDict, _ options: backbone_options, _ request: LoadRequest,
    _ outReport: UnsafeMutablePointer<OpaquePointer?>?
) throws(BackboneError) -> OpaquePointer {
    try Loading.create(stateDict, request, outReport) { described throws(BackboneError) in
        var options = options
        options.depth = described.depth.rawValue
        options.base_channels = Int32(described.baseChannels)
        let channels = Int32(described.inChannels)
        if request.conversion.isExact && options.in_channels != channels {
            // The caller's arrays have as many values as the caller's options say.
            guard options.mean == nil && options.std_dev == nil else {
                throw BackboneError(
                    .invalidArgument,
                    "in_channels is \(options.in_channels) and mean or std_dev is set, but the stem in the file has \(channels)"
                )
            }
            options.in_channels = channels
        }
        return try makeSession(options)
    }.handle
}
