// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Execution
import Networks
import Runtime

@_cdecl("backbone_init_weights") @implementation
public func backbone_init_weights(_ net: OpaquePointer!, _ seed: UInt64) -> backbone_status {
    status { () throws(BackboneError) in
        try session(net).changing { network throws(BackboneError) in try network.initializeWeights(seed: seed) }
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
        let strict = try requireFlag(strict, "strict")
        let stateDict = try StateDict(path: path)
        let report = try Heap.make(match(stateDict, session))
        // The report goes to the caller who wants one, also where it says why nothing was loaded.
        var isWanted = false
        defer { if isWanted { out_report?.pointee = OpaquePointer(report) } else { Heap.destroy(report) } }
        do throws(BackboneError) {
            try report.pointee.verdict(strict: strict)
            try load(stateDict, report, session)
        } catch {
            isWanted = out_report != nil && error.kind == .mismatch
            throw error
        }
        isWanted = out_report != nil
    }
}

/// Compares the names and shapes of a checkpoint with those of the network.
private func match(_ stateDict: borrowing StateDict, _ session: Session) throws(BackboneError) -> LoadReport {
    try session.reading { network throws(BackboneError) in
        var expected = UniqueArray<ExpectedTensor>()
        try expected.reserve(network.entries.count)
        for index in 0..<network.entries.count {
            let entry = network.entries[index]
            let isCount = entry.role == .batchesTracked
            expected.appendReserved(
                ExpectedTensor(
                    name: network.name(of: entry), shape: network.shape(ofEntry: index),
                    dtype: isCount ? .int64 : .float32, mayBeMissing: isCount))
        }
        var ignorable = UniqueArray<StaticString>()
        try ignorable.append("fc.")
        let deepest = network.configuration.outStages.deepest
        if deepest < 2 { try ignorable.append("layer2.") }
        if deepest < 3 { try ignorable.append("layer3.") }
        if deepest < 4 { try ignorable.append("layer4.") }
        return try stateDict.match(expected, ignorable: ignorable)
    }
}

/// Reads what matches beside the network's values, and then puts it in their place.
private func load(
    _ stateDict: borrowing StateDict, _ report: UnsafePointer<LoadReport>, _ session: Session
) throws(BackboneError) {
    var isLoaded = UniqueArray<Bool>()
    var destinations = UniqueArray<TensorDestination>()
    let values = try session.reading { network throws(BackboneError) in
        let values = try network.makeValues()
        isLoaded = try UniqueArray(repeating: false, count: network.entries.count)
        let count = report.pointee.count(of: .loaded)
        try destinations.reserve(count)
        for index in 0..<count {
            let match = report.pointee.match(index)
            let entry = network.entries[match.expected]
            let address = network.address(of: entry, in: values)
            isLoaded[match.expected] = true
            destinations.appendReserved(
                entry.role == .batchesTracked
                    ? TensorDestination(tensor: match.tensor, int64: address.assumingMemoryBound(to: Int64.self))
                    : TensorDestination(tensor: match.tensor, float32: address.assumingMemoryBound(to: Float.self)))
        }
        return values
    }
    // Without the lock: forwards go on meanwhile.
    try stateDict.read(destinations)
    session.adopt(values, isLoaded: isLoaded)
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
