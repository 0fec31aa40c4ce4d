// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Network {
    /// Copies an entry's values to `out`. `requireValues` must have succeeded.
    package func read(_ entry: StateEntry, into out: UnsafeMutableRawPointer) {
        out.copyMemory(from: address(of: entry), byteCount: entry.byteCount)
    }

    /// Copies values into an entry. `requireValues` must have succeeded.
    package mutating func write(_ entry: StateEntry, from source: UnsafeRawPointer) {
        address(of: entry).copyMemory(from: source, byteCount: entry.byteCount)
        valueRevision += 1
        // Nothing is computed from counters.
        if entry.role != .batchesTracked { revisions[entry.node] += 1 }
    }

    /// Notes that values of an entry were changed in place.
    package mutating func noteChange(of entry: StateEntry) {
        valueRevision += 1
        revisions[entry.node] += 1
    }
}
