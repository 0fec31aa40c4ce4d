// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The position of the gradient of each trainable entry in the flat vector of all of them, in the order of the state
/// dict. Freezing other stages makes another layout.
package struct TrainableLayout: ~Copyable {
    /// The gradient of one entry.
    package struct Slot: BitwiseCopyable, Sendable {
        /// Index of the entry in the graph.
        package let entry: Int
        /// The offset of its first value in the vector.
        package let offset: Int
        package let count: Int
    }

    package let slots: UniqueArray<Slot>
    /// Floats of the vector.
    package let count: Int

    package init(_ network: borrowing Network) throws(BackboneError) {
        try self.init(network, TrainableCursor())
    }

    /// The layout of all parameters, frozen ones too.
    package init(ofAllParametersOf network: borrowing Network) throws(BackboneError) {
        try self.init(network, TrainableCursor(includesFrozen: true))
    }

    private init(_ network: borrowing Network, _ start: TrainableCursor) throws(BackboneError) {
        var cursor = start
        var slots = UniqueArray<Slot>()
        while cursor.advance(network) {
            try slots.append(Slot(entry: cursor.entry, offset: cursor.offset, count: cursor.count))
        }
        self.slots = slots
        count = cursor.offset
    }

    /// Whether this is still the layout of a network: the same entries are trainable.
    package func fits(_ network: borrowing Network) -> Bool {
        var (next, cursor) = (0, TrainableCursor())
        while cursor.advance(network) {
            guard next < slots.count, slots[next].entry == cursor.entry, slots[next].count == cursor.count else {
                return false
            }
            next += 1
        }
        return next == slots.count
    }

    /// The slot that has an element of the vector.
    package func slot(ofElement element: Int) -> Int {
        var slot = 0
        while slot + 1 < slots.count && slots[slot + 1].offset <= element { slot += 1 }
        return slot
    }

    /// The slot of an entry; nil if it is not trainable.
    package func slot(ofEntry entry: Int) -> Int? {
        for slot in 0..<slots.count where slots[slot].entry == entry { return slot }
        return nil
    }
}
