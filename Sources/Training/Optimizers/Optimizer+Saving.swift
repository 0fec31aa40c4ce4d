// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension Optimizer {
    /// Writes a network and the state of its optimiser as `torch.save({'state_dict': ..., 'optimizer': ...})` does, for
    /// `torch.load` and the `load_state_dict` of a PyTorch optimiser with the same groups, of trainable parameters
    /// alone.
    ///
    /// Groups without parameters are left out, and the parameters outside of all groups come last.
    ///
    /// - Parameters:
    ///   - stateDict: the entries of the network to write; `stateDictSources` for all of it under its own names.
    ///   - learningRate: of groups whose factor is 1, for the file.
    /// - Throws: `stale`, `invalidArgument`, and what `writeTrainingCheckpoint` throws.
    package func save(
        _ network: borrowing Network, stateDict: borrowing UniqueArray<TensorSource>, learningRate: Double,
        layoutID: UInt64, to path: UnsafePointer<CChar>
    ) throws(BackboneError) {
        try checkLayout(network, layoutID)
        try checkLearningRate(learningRate)
        // One number for each parameter: a tensor without dimensions.
        let steps = try Buffer<Float>(count: state.layout.slots.count)
        var source = OptimizerSource()
        for group in 0...options.groups.count {
            var hasBegun = false
            for slot in 0..<state.layout.slots.count where state.progress[slot].group == group {
                if !hasBegun { try beginGroup(group, learningRate, of: &source) }
                hasBegun = true
                steps.start[slot] = Float(state.progress[slot].steps)
                try source.addParameter()
                try addTensors(slot, network.graph, steps.start + slot, to: &source)
            }
        }
        try writeTrainingCheckpoint(stateDict, source, to: path)
    }

    /// The options of a group that PyTorch 2.13 writes, in its order.
    private func beginGroup(
        _ group: Int, _ learningRate: Double, of source: inout OptimizerSource
    ) throws(BackboneError) {
        let rates = options.rates(learningRate, group: group)
        try source.beginGroup()
        try source.addOption("lr", .number(rates.learningRate))
        switch options.kind {
        case .sgd:
            try source.addOption("momentum", .number(options.momentum))
            try source.addOption("dampening", .number(options.dampening))
            try source.addOption("weight_decay", .number(rates.weightDecay))
            try source.addOption("nesterov", .boolean(options.isNesterov))
            try source.addOption("maximize", .boolean(false))
            try source.addOption("foreach", .none)
            try source.addOption("differentiable", .boolean(false))
            try source.addOption("fused", .none)
        case .adamW:
            try source.addOption("betas", .pair(options.beta1, options.beta2))
            try source.addOption("eps", .number(options.epsilon))
            try source.addOption("weight_decay", .number(rates.weightDecay))
            try source.addOption("amsgrad", .boolean(false))
            try source.addOption("maximize", .boolean(false))
            try source.addOption("foreach", .none)
            try source.addOption("capturable", .boolean(false))
            try source.addOption("differentiable", .boolean(false))
            try source.addOption("fused", .none)
            try source.addOption("decoupled_weight_decay", .boolean(true))
        }
    }

    private func addTensors(
        _ slot: Int, _ graph: borrowing Graph, _ step: UnsafePointer<Float>, to source: inout OptimizerSource
    ) throws(BackboneError) {
        let target = state.layout.slots[slot]
        let shape = graph.shape(ofEntry: target.entry)
        switch options.kind {
        case .sgd:
            guard state.progress[slot].hasBuffer else { return }
            try source.addTensor(
                TensorSource(
                    name: bytes(of: "momentum_buffer"), shape: shape, float32: state.averages.start + target.offset))
        case .adamW:
            guard state.progress[slot].steps > 0 else { return }
            let scalar = UnsafeBufferPointer<Int64>(start: nil, count: 0)
            try source.addTensor(TensorSource(name: bytes(of: "step"), shape: scalar, float32: step))
            try source.addTensor(
                TensorSource(name: bytes(of: "exp_avg"), shape: shape, float32: state.averages.start + target.offset))
            try source.addTensor(
                TensorSource(name: bytes(of: "exp_avg_sq"), shape: shape, float32: state.squares.start + target.offset))
        }
    }
}

/// All entries of a network under its own names, for `Optimizer.save`. Its values must exist, and neither change nor
/// move until the file is written.
package func stateDictSources(
    of network: borrowing Network
) throws(BackboneError) -> UniqueArray<TensorSource> {
    var sources = UniqueArray<TensorSource>()
    try sources.reserve(network.graph.entries.count)
    for index in 0..<network.graph.entries.count {
        let entry = network.graph.entries[index]
        let (name, shape) = (network.graph.name(of: entry), network.graph.shape(ofEntry: index))
        let address = UnsafeRawPointer(network.address(of: entry))
        sources.appendReserved(
            entry.role == .batchesTracked
                ? TensorSource(name: name, shape: shape, int64: address.assumingMemoryBound(to: Int64.self))
                : TensorSource(name: name, shape: shape, float32: address.assumingMemoryBound(to: Float.self)))
    }
    return sources
}
