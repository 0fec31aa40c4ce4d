// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Goes through the trainable entries of a network, in the order of the state dict: the order of their values and
/// gradients in one vector, without gaps.
///
///     var cursor = TrainableCursor()
///     while cursor.advance(network) { ... }
package struct TrainableCursor: BitwiseCopyable {
    /// Whether it includes parameters that are not trained now.
    private let includesFrozen: Bool
    /// Index of the present entry in the graph.
    package private(set) var entry = -1
    /// Its offset in the vector; at the end, the floats of all.
    package private(set) var offset = 0
    /// Its floats; 0 at the end.
    package private(set) var count = 0

    package init(includesFrozen: Bool = false) { self.includesFrozen = includesFrozen }

    /// Moves to the next entry; false at the end.
    package mutating func advance(_ network: borrowing Network) -> Bool {
        offset += count
        count = 0
        entry += 1
        while entry < network.graph.entries.count {
            let candidate = network.graph.entries[entry]
            if includesFrozen ? candidate.role.isParameter : network.isTrainable(candidate) {
                // At most the number of the network's values, which were counted with overflow checks.
                count = candidate.elementCount
                return true
            }
            entry += 1
        }
        return false
    }
}
