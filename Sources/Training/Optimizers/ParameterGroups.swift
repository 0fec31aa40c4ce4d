// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The groups of parameters that have a learning rate or a weight decay of their own. A parameter belongs to the first
/// group that matches it.
package struct ParameterGroups: ~Copyable {
    /// The options of a group.
    package struct Group: BitwiseCopyable, Sendable {
        /// The part of `text` that the names of its entries begin with; nil for any name.
        fileprivate let prefix: TextRange?
        fileprivate let kinds: UInt32
        /// Multiplies the learning rate of a step.
        package let rateFactor: Double
        package let weightDecay: Double
    }

    /// Kinds of parameters, as bits.
    package static var weights: UInt32 { 1 }
    package static var norms: UInt32 { 2 }
    package static var biases: UInt32 { 4 }

    private var list = UniqueArray<Group>()
    private var text = UniqueArray<UInt8>()

    package init() {}

    package var count: Int { list.count }

    package subscript(index: Int) -> Group { list[index] }

    /// Adds a group.
    ///
    /// - Parameters:
    ///   - prefix: the prefix of the names of its entries; nil for any name. It is copied.
    ///   - kinds: a sum of `weights` (of convolutions and linear layers), `norms` (weights and biases of norms) and
    ///     `biases` (of convolutions and linear layers); 0 for all.
    package mutating func append(
        prefix: Bytes?, kinds: UInt32, rateFactor: Double, weightDecay: Double
    ) throws(BackboneError) {
        var range: TextRange?
        if let prefix {
            range = TextRange(
                start: UInt32(truncatingIfNeeded: text.count), count: UInt32(truncatingIfNeeded: prefix.count))
            guard prefix.count <= Self.longestPrefix, text.count <= Int(Int32.max) else {
                throw BackboneError(
                    .invalidArgument,
                    "the prefix of group \(count) has \(prefix.count) bytes, expected at most \(Self.longestPrefix)")
            }
            try text.append(prefix)
        }
        try list.append(Group(prefix: range, kinds: kinds, rateFactor: rateFactor, weightDecay: weightDecay))
    }

    /// Bytes; longer than any name.
    private static var longestPrefix: Int { 1024 }

    /// - Throws: `invalidArgument` that names the group and its option.
    func check() throws(BackboneError) {
        for index in 0..<count {
            let group = self[index]
            guard group.kinds < 8 else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    kinds of group \(index) is \(group.kinds), expected a sum of 1 (weights), 2 (norms) and 4 (biases), or \
                    0 for all
                    """)
            }
            do throws(BackboneError) {
                try checkNotNegative(group.rateFactor, "learning_rate_factor")
                try checkNotNegative(group.weightDecay, "weight_decay")
            } catch {
                throw BackboneError(error.kind, "group \(index): \(error.message)")
            }
        }
    }

    /// The first group that matches an entry; `count`, which stands for all others, if none does.
    func group(of entry: StateEntry, in graph: borrowing Graph) -> Int {
        for index in 0..<count {
            let group = self[index]
            guard group.kinds == 0 || group.kinds & graph.kind(of: entry) != 0 else { continue }
            guard let prefix = group.prefix else { return index }
            if graph.name(of: entry).hasPrefix(text.elements.slice(prefix)) { return index }
        }
        return count
    }
}

extension Graph {
    /// The kind of a parameter, a bit of `ParameterGroups`.
    fileprivate func kind(of entry: StateEntry) -> UInt32 {
        if isNorm(node: entry.node) { return ParameterGroups.norms }
        return entry.role == .bias ? ParameterGroups.biases : ParameterGroups.weights
    }
}
