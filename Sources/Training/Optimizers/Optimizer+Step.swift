// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

extension Optimizer {
    /// Updates all trainable parameters in place.
    ///
    /// - Parameters:
    ///   - gradients: in the order of the layout.
    ///   - count: of the layout.
    ///   - learningRate: of groups whose factor is 1.
    ///   - allowNotFinite: computes with gradients that are NaN or infinite; else they are an error.
    ///   - layoutID: the present one of the network.
    /// - Throws: `stale`, `invalidArgument`, `notFinite` naming the first entry with such a gradient, `outOfMemory`;
    ///   nothing has changed then.
    package mutating func step(
        _ network: inout Network, gradients: UnsafePointer<Float>, count: Int, learningRate: Double,
        allowNotFinite: Bool = false, layoutID: UInt64, pool: borrowing ThreadPool
    ) throws(BackboneError) {
        try checkLayout(network, layoutID)
        try checkCount(count)
        try checkLearningRate(learningRate)
        if !allowNotFinite { try checkFinite(gradients, network.graph, pool) }
        try network.requireValues()
        switch options.kind {
        case .sgd: try stepSGD(network, gradients, learningRate, pool)
        case .adamW: try stepAdamW(network, gradients, learningRate, pool)
        }
        for slot in 0..<state.layout.slots.count {
            state.progress[slot].steps += 1
            state.progress[slot].hasBuffer = options.kind == .sgd && options.hasAverages
            network.noteChange(of: network.graph.entries[state.layout.slots[slot].entry])
        }
    }

    private func checkCount(_ count: Int) throws(BackboneError) {
        guard count == state.layout.count else {
            throw BackboneError(
                .invalidArgument,
                "count is \(count), expected \(state.layout.count) gradients; call backbone_trainable_count")
        }
    }

    /// - Throws: `invalidArgument`.
    func checkLearningRate(_ learningRate: Double) throws(BackboneError) {
        try checkNotNegative(learningRate, "learning_rate")
        for index in 0..<options.groups.count {
            guard Float(learningRate * options.groups[index].rateFactor).isFinite else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    learning_rate is \(learningRate), which the factor of group \(index) makes infinite; lower one of \
                    them
                    """
                )
            }
        }
    }

    /// - Throws: `notFinite` that names the first entry with a gradient that is not finite; `outOfMemory`.
    private func checkFinite(
        _ gradients: UnsafePointer<Float>, _ graph: borrowing Graph, _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        let sums = try SquaredSums(gradients, count: state.layout.count, kernels, pool)
        guard let element = sums.firstNotFinite(of: gradients) else { return }
        let slot = state.layout.slots[state.layout.slot(ofElement: element)]
        let name = graph.name(of: graph.entries[slot.entry])
        throw BackboneError(
            .notFinite,
            """
            the gradient of '\(name)' is \(Double(gradients[element])) at element \(element - slot.offset), expected \
            finite values; skip this step, or allow values that are not finite
            """)
    }
}

// MARK: - The two rules

extension Optimizer {
    private func stepSGD(
        _ network: borrowing Network, _ gradients: UnsafePointer<Float>, _ learningRate: Double,
        _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        var tasks = UniqueArray<SGDStepTask>()
        try tasks.reserve(state.layout.slots.count)
        for index in 0..<state.layout.slots.count {
            let slot = state.layout.slots[index]
            let rates = rates(learningRate, slot: index)
            let rule = SGDStepTask.Rule(
                learningRate: rates.learningRate, weightDecay: rates.weightDecay, momentum: options.momentum,
                dampening: options.dampening, isNesterov: options.isNesterov)
            tasks.appendReserved(
                SGDStepTask(
                    parameters: network.floats(of: network.graph.entries[slot.entry]),
                    gradients: gradients + slot.offset,
                    momentumBuffer: options.hasAverages ? state.averages.start + slot.offset : nil, count: slot.count,
                    rule,
                    begins: !state.progress[index].hasBuffer))
        }
        run(tasks.elements.baseAddress, pool) { job, slot, block in
            let tasks = job.tasks.assumingMemoryBound(to: SGDStepTask.self)
            job.kernels.pointee.sgdStep.runBlock(tasks[slot], 0, block, job.memory)
        }
    }

    private func stepAdamW(
        _ network: borrowing Network, _ gradients: UnsafePointer<Float>, _ learningRate: Double,
        _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        var tasks = UniqueArray<AdamWStepTask>()
        try tasks.reserve(state.layout.slots.count)
        for index in 0..<state.layout.slots.count {
            let slot = state.layout.slots[index]
            let rates = rates(learningRate, slot: index)
            let rule = AdamWStepTask.Rule(
                learningRate: rates.learningRate, weightDecay: rates.weightDecay, beta1: options.beta1,
                beta2: options.beta2, epsilon: options.epsilon)
            tasks.appendReserved(
                AdamWStepTask(
                    parameters: network.floats(of: network.graph.entries[slot.entry]),
                    gradients: gradients + slot.offset, averages: state.averages.start + slot.offset,
                    squares: state.squares.start + slot.offset, count: slot.count, rule,
                    number: Double(state.progress[index].steps + 1)))
        }
        run(tasks.elements.baseAddress, pool) { job, slot, block in
            let tasks = job.tasks.assumingMemoryBound(to: AdamWStepTask.self)
            job.kernels.pointee.adamWStep.runBlock(tasks[slot], 0, block, job.memory)
        }
    }

    /// Runs a kernel, which needs no memory, on all blocks of all parameters.
    private func run(
        _ tasks: UnsafeRawPointer?, _ pool: borrowing ThreadPool,
        _ body: @escaping StepJob.Body
    ) {
        guard let tasks, let blocks = state.blocks.elements.baseAddress,
            let memory = UnsafeMutablePointer<Float>(bitPattern: Heap.alignment)
        else { return }
        withUnsafePointer(to: kernels) { kernels in
            var job = StepJob(
                tasks: tasks, kernels: kernels, blocks: blocks, memory: KernelMemory(shared: memory, own: memory),
                body: body)
            job.run(count: state.blocks.count, pool)
        }
    }
}
