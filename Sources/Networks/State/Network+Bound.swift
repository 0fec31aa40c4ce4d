// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Parameters in the caller's memory: a program that keeps them in tensors of its own needs no second copy in the library. While
// they are bound, `values` has the running statistics alone, one after the other, and the counters.
extension Network {
    /// Makes the network keep its parameters in other memory and use the values there. Earlier bound memory is not
    /// touched: it may be freed.
    ///
    /// - Parameter memory: `parameterCount` floats, in the order of the state dict.
    /// - Throws: `outOfMemory`; nothing has changed then.
    package mutating func bindParameters(to memory: UnsafeMutablePointer<Float>) throws(BackboneError) {
        try requireValues()
        if boundParameters == nil {
            let kept = NetworkValues(
                floats: try Buffer(count: graph.valueCount - graph.parameterCount),
                counters: try Buffer(count: graph.counterCount))
            for index in 0..<graph.entries.count where !graph.entries[index].role.isParameter {
                let entry = graph.entries[index]
                read(entry, into: boundAddress(of: entry, memory, kept))
            }
            values = consume kept
        }
        boundParameters = memory
        noteChangeOfAll()
    }

    /// Makes the network keep its parameters in memory of its own again, with their present values.
    ///
    /// - Throws: `outOfMemory`; nothing has changed then.
    package mutating func unbindParameters() throws(BackboneError) {
        if boundParameters == nil { return }
        let own = try graph.makeValues()
        for index in 0..<graph.entries.count { read(graph.entries[index], into: own.address(of: graph.entries[index])) }
        values = consume own
        boundParameters = nil
        // The values are the same, so everything made from them stays valid.
    }

    /// Notes that all values may have changed.
    package mutating func noteChangeOfAll() {
        valueRevision += 1
        for node in 0..<revisions.count { revisions[node] += 1 }
    }

    func boundAddress(
        of entry: StateEntry, _ parameters: UnsafeMutablePointer<Float>, _ kept: borrowing NetworkValues
    ) -> UnsafeMutableRawPointer {
        if entry.role.isParameter { return UnsafeMutableRawPointer(parameters + entry.parametersBefore) }
        if entry.role == .batchesTracked { return kept.address(of: entry) }
        return UnsafeMutableRawPointer(kept.floats.start + (entry.valueOffset - entry.parametersBefore))
    }
}
