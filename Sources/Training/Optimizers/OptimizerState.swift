// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The state of an optimiser between steps, for each trainable parameter of a network.
package struct OptimizerState: ~Copyable {
    /// The state of one parameter other than its averages.
    package struct Progress: BitwiseCopyable, Sendable {
        /// The index of its group in the options; their count for parameters outside of all groups.
        package let group: Int
        /// The number of steps so far.
        package internal(set) var steps = 0
        /// Whether the momentum buffer has values: it begins at the parameter's first gradient.
        package internal(set) var hasBuffer = false
    }

    /// A block of a parameter that a thread updates.
    struct Block: BitwiseCopyable {
        let slot: Int32
        let index: Int32
    }

    package let layout: TrainableLayout
    /// One for each slot of the layout.
    package internal(set) var progress: UniqueArray<Progress>
    /// Laid out as the gradients: momentum_buffer of SGD with momentum, exp_avg of AdamW; none of SGD without.
    package let averages: Buffer<Float>
    /// The same: exp_avg_sq of AdamW.
    package let squares: Buffer<Float>
    let blocks: UniqueArray<Block>

    /// The state before the first step.
    ///
    /// - Throws: `invalidArgument` where nothing is trainable; `outOfMemory`.
    init(_ network: borrowing Network, _ options: borrowing OptimizerOptions) throws(BackboneError) {
        let layout = try TrainableLayout(network)
        guard layout.count > 0 else {
            throw BackboneError(
                .invalidArgument, "no parameter is trainable; freeze fewer stages")
        }
        let progress = try OptimizerState.progress(layout, options.groups, network.graph)
        let blocks = try OptimizerState.blocks(layout)
        let averages = try Buffer<Float>(zeros: options.hasAverages ? layout.count : 0)
        let squares = try Buffer<Float>(zeros: options.kind == .adamW ? layout.count : 0)
        self.layout = layout
        self.progress = progress
        self.averages = averages
        self.squares = squares
        self.blocks = blocks
    }

    private static func progress(
        _ layout: borrowing TrainableLayout, _ groups: borrowing ParameterGroups, _ graph: borrowing Graph
    ) throws(BackboneError) -> UniqueArray<Progress> {
        var progress = UniqueArray<Progress>()
        try progress.reserve(layout.slots.count)
        for slot in 0..<layout.slots.count {
            let entry = graph.entries[layout.slots[slot].entry]
            progress.appendReserved(Progress(group: groups.group(of: entry, in: graph)))
        }
        return progress
    }

    private static func blocks(_ layout: borrowing TrainableLayout) throws(BackboneError) -> UniqueArray<Block> {
        var blocks = UniqueArray<Block>()
        for slot in 0..<layout.slots.count {
            for index in 0..<parameterBlockCount(layout.slots[slot].count) {
                try blocks.append(Block(slot: Int32(slot), index: Int32(index)))
            }
        }
        return blocks
    }

    /// Takes over the values of another state with the same options, for the parameters that both have.
    mutating func copy(from other: borrowing OptimizerState) {
        for slot in 0..<layout.slots.count {
            let target = layout.slots[slot]
            guard let own = other.layout.slot(ofEntry: target.entry) else { continue }
            let source = other.layout.slots[own]
            progress[slot].steps = other.progress[own].steps
            progress[slot].hasBuffer = other.progress[own].hasBuffer
            if averages.count > 0 {
                (averages.start + target.offset).update(from: other.averages.start + source.offset, count: source.count)
            }
            if squares.count > 0 {
                (squares.start + target.offset).update(from: other.squares.start + source.offset, count: source.count)
            }
        }
    }
}

extension Buffer where Element == Float {
    fileprivate init(zeros count: Int) throws(BackboneError) {
        try self.init(count: count)
        start.initialize(repeating: 0, count: count)
    }
}
