// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Execution
import Networks
import Runtime

@_cdecl("backbone_entry_count") @implementation
public func backbone_entry_count(_ net: OpaquePointer!, _ out: UnsafeMutablePointer<Int>!) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        try require(out, "out").pointee = try session.withGraph { $0.entries.count }
    }
}

@_cdecl("backbone_get_entry_info") @implementation
public func backbone_get_entry_info(
    _ net: OpaquePointer!, _ index: Int, _ out: UnsafeMutablePointer<backbone_entry_info>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        out.pointee = try session.reading { network throws(BackboneError) in
            let entry = try network.checkedEntry(index)
            let batchesTracked = entry.role == .batchesTracked
            var info = backbone_entry_info()
            info.name = UnsafeRawPointer(network.graph.name(of: entry).baseAddress)?.assumingMemoryBound(to: CChar.self)
            info.dtype = Int32(batchesTracked ? BACKBONE_DTYPE_INT64 : BACKBONE_DTYPE_FLOAT32)
            info.ndim = Int32(entry.dimensions)
            info.shape = entry.shape
            info.is_parameter = entry.role.isParameter ? 1 : 0
            info.trainable = network.isTrainable(entry) ? 1 : 0
            info.batch_statistics = network.usesBatchStatistics(node: entry.node) ? 1 : 0
            return info
        }
    }
}

@_cdecl("backbone_find_entry") @implementation
public func backbone_find_entry(
    _ net: OpaquePointer!, _ name: UnsafePointer<CChar>!, _ out: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let name = try require(name, "name")
        let out = try require(out, "out")
        // Not an optional: for an optional, this generic function would ask the Swift runtime for metadata, which
        // allocates.
        let index = try session.withGraph { $0.entryIndex(named: name) ?? -1 }
        guard index >= 0 else {
            throw BackboneError(
                .unknownName,
                "the network has no parameter or buffer named \(name); backbone_get_entry_info lists the names")
        }
        out.pointee = index
    }
}

@_cdecl("backbone_read_entry") @implementation
public func backbone_read_entry(
    _ net: OpaquePointer!, _ index: Int, _ out: UnsafeMutableRawPointer!, _ size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let out = try require(out, "out")
        try session.reading { network throws(BackboneError) in _ = try network.checkedEntry(index, size: size) }
        try session.readingValues { network throws(BackboneError) in
            network.read(try network.checkedEntry(index), into: out)
        }
    }
}

@_cdecl("backbone_write_entry") @implementation
public func backbone_write_entry(
    _ net: OpaquePointer!, _ index: Int, _ data: UnsafeRawPointer!, _ size: Int
) -> backbone_status {
    status { () throws(BackboneError) in
        let session = try session(net)
        let data = try require(data, "data")
        try session.changing { network throws(BackboneError) in
            let entry = try network.checkedEntry(index, size: size)
            try network.requireValues(.none)
            network.write(entry, from: data)
        }
    }
}

extension Network {
    borrowing func checkedEntry(_ index: Int) throws(BackboneError) -> StateEntry {
        guard index >= 0 && index < graph.entries.count else {
            throw BackboneError(
                .invalidArgument, "index is \(index), expected less than \(graph.entries.count), the number of entries")
        }
        return graph.entries[index]
    }

    /// An entry whose size in bytes must be `size`.
    fileprivate borrowing func checkedEntry(_ index: Int, size: Int) throws(BackboneError) -> StateEntry {
        let entry = try checkedEntry(index)
        guard size == entry.byteCount else {
            throw BackboneError(
                .invalidArgument, "size is \(size), expected \(entry.byteCount), the bytes of \(graph.name(of: entry))")
        }
        return entry
    }
}
