// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The values of a network's entries: all float32 parameters and buffers in one block, and all num_batches_tracked.
///
/// A load fills separate values and then replaces the network's, so that a failed load changes nothing.
package struct NetworkValues: ~Copyable {
    /// Laid out by `StateEntry.valueOffset`, as are the counters.
    package let floats: Buffer<Float>
    package let counters: Buffer<Int64>

    /// The position of an entry.
    package func address(of entry: StateEntry) -> UnsafeMutableRawPointer {
        entry.role == .batchesTracked
            ? UnsafeMutableRawPointer(counters.start + entry.valueOffset)
            : UnsafeMutableRawPointer(floats.start + entry.valueOffset)
    }
}

extension Graph {
    /// Room for all values of a network, with undefined contents.
    package func makeValues() throws(BackboneError) -> NetworkValues {
        NetworkValues(floats: try Buffer(count: valueCount), counters: try Buffer(count: counterCount))
    }
}

extension Network {
    /// Replaces the present values by complete ones.
    package mutating func replaceValues(_ new: consuming NetworkValues) {
        if boundParameters == nil {
            values = consume new
        } else {
            for index in 0..<graph.entries.count {
                let entry = graph.entries[index]
                address(of: entry).copyMemory(from: new.address(of: entry), byteCount: entry.byteCount)
            }
        }
        noteChangeOfAll()
    }

    /// Replaces the present values, except those of entries that were not loaded.
    ///
    /// - Throws: `cancelled`; nothing has changed then.
    package mutating func adopt(
        _ new: consuming NetworkValues, isLoaded: borrowing UniqueArray<Bool>, _ cancellation: Cancellation = .none
    ) throws(BackboneError) {
        if hasValues {
            for index in 0..<graph.entries.count where !isLoaded[index] {
                read(graph.entries[index], into: new.address(of: graph.entries[index]))
            }
        } else {
            try graph.initialize(new, seed: 0, cancellation) { !isLoaded[$0] }
        }
        replaceValues(new)
    }

    /// Whether the values are allocated yet.
    package var hasValues: Bool { values != nil }

    /// Makes sure that values exist: those of seed 0 if none were written yet.
    ///
    /// - Throws: `outOfMemory`; `cancelled`; the values are then still missing.
    package mutating func requireValues(_ cancellation: Cancellation = .none) throws(BackboneError) {
        guard values == nil else { return }
        let fresh = try graph.makeValues()
        try graph.initialize(fresh, seed: 0, cancellation)
        values = consume fresh
    }

    /// The address of all counters; `requireValues` must have succeeded.
    package var counters: UnsafeMutablePointer<Int64> {
        switch values {
        case .some(let present): present.counters.start
        case .none: preconditionFailure("values are required first")
        }
    }

    /// The position of an entry; `requireValues` must have succeeded.
    package func address(of entry: StateEntry) -> UnsafeMutableRawPointer {
        switch values {
        case .some(let present):
            if let boundParameters {
                boundAddress(of: entry, boundParameters, present)
            } else {
                present.address(of: entry)
            }
        case .none: preconditionFailure("values are required first")
        }
    }

    /// The floats of an entry that is not a counter; `requireValues` must have succeeded.
    package func floats(of entry: StateEntry) -> UnsafeMutablePointer<Float> {
        address(of: entry).assumingMemoryBound(to: Float.self)
    }

    /// The floats of a node's entry, which it must have; `requireValues` must have succeeded.
    package func values(_ role: StateEntry.Role, ofNode node: Int) -> UnsafePointer<Float> {
        guard let entry = graph.entry(role, ofNode: node) else {
            preconditionFailure("node \(node) has no entry of this role")
        }
        return UnsafePointer(floats(of: entry))
    }
}
