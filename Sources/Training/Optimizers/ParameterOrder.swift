// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// An order in which a program may have passed the parameters of a network to its optimiser: it gives the meaning of
/// positions in a file's state.
struct ParameterOrder: ~Copyable {
    /// Which parameters were passed, and in which order.
    struct Kind: BitwiseCopyable {
        /// Whether frozen parameters were passed too.
        let hasAll: Bool
        /// Whether the order is by the groups of the options; else it is that of the state dict.
        let isGrouped: Bool

        /// The candidate orders for a file.
        static subscript(index: Int) -> Kind { Kind(hasAll: index & 1 != 0, isGrouped: index < 2) }
        static var count: Int { 4 }
    }

    let kind: Kind
    /// Entries of the graph.
    let entries: UniqueArray<Int>
    /// Parameters of each group that has any; none if they are not grouped.
    private let groups: UniqueArray<Int>

    init(
        _ kind: Kind, _ network: borrowing Network, _ options: borrowing OptimizerOptions
    ) throws(BackboneError) {
        let layout = kind.hasAll ? try TrainableLayout(ofAllParametersOf: network) : try TrainableLayout(network)
        var entries = UniqueArray<Int>()
        var groups = UniqueArray<Int>()
        for group in 0...options.groups.count {
            let before = entries.count
            for slot in layout.slots.elements {
                let own = options.groups.group(of: network.graph.entries[slot.entry], in: network.graph)
                if !kind.isGrouped || own == group { try entries.append(slot.entry) }
            }
            if !kind.isGrouped { break }
            if entries.count > before { try groups.append(entries.count - before) }
        }
        self.kind = kind
        self.entries = entries
        self.groups = groups
    }

    /// Whether a file's groups have as many parameters. Without groups of the options, the file has them all in one, or
    /// each in one of its own.
    func hasCounts(of file: borrowing OptimizerDict) -> Bool {
        guard file.entries.count == entries.count else { return false }
        var next = 0
        var largest = 0
        for count in file.groups.elements where count > 0 {
            if kind.isGrouped && (next >= groups.count || groups[next] != count) { return false }
            next += 1
            largest = max(largest, count)
        }
        return kind.isGrouped ? next == groups.count : next == 1 || largest == 1
    }

    /// Its description in a note.
    var description: Message {
        let order: StaticString = kind.isGrouped && groups.count > 1 ? "by groups" : "in the order of the state dict"
        if kind.hasAll { return "all \(entries.count) parameters, \(order)" }
        return "the \(entries.count) trainable parameters, \(order)"
    }
}
