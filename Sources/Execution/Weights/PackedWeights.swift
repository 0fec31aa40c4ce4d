// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The weights of convolutions, packed for the kernels, once for each algorithm of a plan. See `Folding`.
struct PackedWeights: ~Copyable {
    /// The packed copy of a convolution for one algorithm, and the versions of its sources.
    struct Copy: BitwiseCopyable {
        var weights: UnsafeMutablePointer<Float>?
        var bias: UnsafeMutablePointer<Float>?
        /// Revisions of the nodes of the convolution and of its norm.
        var revision = 0
        var normRevision = 0
        var folded = false
        var isPacked = false
        /// Floats of both together.
        var count = 0

        /// Whether it was made from the network's present values for its present mode.
        func isCurrent(_ convolution: FusedConvolution, _ network: borrowing Network) -> Bool {
            guard isPacked && revision == network.revisions[convolution.node] else { return false }
            guard let norm = convolution.norm else { return true }
            guard folded == !network.usesBatchStatistics(node: norm) else { return false }
            return !folded || normRevision == network.revisions[norm]
        }
    }

    /// At `index`: convolution `index / ConvolutionAlgorithm.count`, algorithm `index % ConvolutionAlgorithm.count`.
    var copies: UniqueArray<Copy>
    /// The memory of the copies: a block for all that a plan needed and no earlier one had, in the order of its steps.
    /// A copy keeps its place; a dropped one gives back its pages.
    private var blocks = UniqueArray<Buffer<Float>>()

    init(convolutionCount: Int) throws(BackboneError) {
        copies = try UniqueArray(repeating: Copy(), count: convolutionCount * ConvolutionAlgorithm.count)
    }

    static func index(_ step: ConvolutionStep) -> Int { index(step.convolution, step.algorithm) }

    static func index(_ convolution: FusedConvolution, _ algorithm: ConvolutionAlgorithm) -> Int {
        convolution.index * ConvolutionAlgorithm.count + algorithm.rawValue
    }

    /// The weights of a convolution; `update` must have succeeded for a plan that has it.
    func addresses(_ step: ConvolutionStep) -> (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>) {
        let copy = copies[Self.index(step)]
        return (UnsafePointer(copy.weights.unsafelyUnwrapped), UnsafePointer(copy.bias.unsafelyUnwrapped))
    }

    /// Whether all copies that a plan needs exist, made from the network's present values.
    func isCurrent(_ network: borrowing Network, for plan: borrowing Plan) -> Bool {
        for index in 0..<plan.steps.count {
            guard let step = plan.steps[index].convolution else { continue }
            guard copies[Self.index(step)].isCurrent(step.convolution, network) else { return false }
        }
        return true
    }

    /// Packs the copies that a plan needs and that are missing or stale, with the threads of the pool. The caller holds
    /// the exclusive lock.
    mutating func update(
        _ network: UnsafePointer<Network>, for plan: UnsafePointer<Plan>, _ kernels: ConvolutionKernels,
        _ pool: borrowing ThreadPool, _ cancellation: Cancellation
    ) throws(BackboneError) {
        try allocate(for: plan.pointee, kernels)
        var widest = 0
        for index in 0..<plan.pointee.steps.count {
            guard let step = plan.pointee.steps[index].convolution else { continue }
            widest = max(widest, step.convolution.definition.outputChannels)
        }
        let scales = try Buffer<Double>(count: widest * pool.threadCount)
        // Small ones in parallel, and then the threads share each of the others.
        var work = SmallPacking(
            network: network, plan: plan, kernels: kernels, copies: copies.mutableElements, scales: scales.start,
            scalesPerWorker: widest)
        withUnsafeMutablePointer(to: &work) { work in
            pool.run(
                count: plan.pointee.steps.count, cancellation: cancellation, context: UnsafeMutableRawPointer(work)
            ) { context, step, worker in
                context.assumingMemoryBound(to: SmallPacking.self).pointee.pack(step: step, worker: worker)
            }
        }
        for index in 0..<plan.pointee.steps.count {
            try cancellation.check()
            guard let step = plan.pointee.steps[index].convolution, !step.convolution.isSmall else { continue }
            pack(step, network.pointee, kernels, scales: scales.start, pool, cancellation)
        }
        try cancellation.check()
    }

    /// Packs a copy that is stale, with all threads.
    private mutating func pack(
        _ step: ConvolutionStep, _ network: borrowing Network, _ kernels: ConvolutionKernels,
        scales: UnsafeMutablePointer<Double>, _ pool: borrowing ThreadPool, _ cancellation: Cancellation
    ) {
        let index = Self.index(step)
        guard let task = copies[index].task(step, network, scales: scales) else { return }
        copies[index].isPacked = false
        Launch.run(kernels[step.algorithm, task.shape].packing, task, pool, cancellation)
        if !cancellation.isCancelled { copies[index].note(step.convolution, network) }
    }

    /// Allocates the copies that a plan needs and that have no memory.
    private mutating func allocate(
        for plan: borrowing Plan, _ kernels: ConvolutionKernels
    ) throws(BackboneError) {
        guard let size = place(plan, kernels, in: nil) else {
            throw BackboneError(.outOfMemory, "cannot allocate the packed weights; \(Heap.noMemoryCure)")
        }
        if size == 0 { return }
        try blocks.reserve(blocks.count + 1)
        let block = try Buffer<Float>(count: size)
        _ = place(plan, kernels, in: block.start)
        blocks.appendReserved(block)
    }

    /// Places the copies that have no memory yet one after the other, from `start` on unless it is nil, and returns how
    /// many floats they need; nil if that overflows Int.
    private mutating func place(
        _ plan: borrowing Plan, _ kernels: ConvolutionKernels, in start: UnsafeMutablePointer<Float>?
    ) -> Int? {
        var size = 0
        for step in 0..<plan.steps.count {
            guard let step = plan.steps[step].convolution else { continue }
            let index = Self.index(step)
            guard copies[index].weights == nil else { continue }
            let shape = ConvolutionShape(step.convolution.definition, height: 1, width: 1)
            let weights = Heap.aligned(kernels[step.algorithm, shape].packedCount(shape), Float.self)
            let bias = Heap.aligned(shape.outputChannels, Float.self)
            guard let weights, let bias, let end = checkedSum(size, checkedSum(weights, bias)) else { return nil }
            if let start {
                copies[index].weights = start + size
                copies[index].bias = start + (size + weights)
                copies[index].count = weights + bias
            }
            size = end
        }
        return size
    }

    /// The state shared by the threads that pack small convolutions. Each writes to copies of its own: a plan has every
    /// convolution once.
    private struct SmallPacking {
        let network: UnsafePointer<Network>
        let plan: UnsafePointer<Plan>
        let kernels: ConvolutionKernels
        let copies: UnsafeMutableBufferPointer<Copy>
        let scales: UnsafeMutablePointer<Double>
        let scalesPerWorker: Int

        func pack(step index: Int, worker: Int) {
            guard let step = plan.pointee.steps[index].convolution, step.convolution.isSmall else { return }
            let index = PackedWeights.index(step)
            let scales = scales + worker * scalesPerWorker
            guard let task = copies[index].task(step, network.pointee, scales: scales) else { return }
            let packing = kernels[step.algorithm, task.shape].packing
            // It needs no memory.
            let memory = KernelMemory(shared: task.packed, own: task.packed)
            for block in 0..<packing.blockCount(task, 0) { packing.runBlock(task, 0, block, memory) }
            copies[index].note(step.convolution, network.pointee)
        }
    }
}

extension FusedConvolution {
    /// Whether packing its weights costs less time than sharing the work.
    fileprivate var isSmall: Bool { definition.weightCount < 1 << 16 }
}

extension PackedWeights.Copy {
    /// The task that packs it, if it is stale; this writes the bias at once.
    fileprivate func task(
        _ step: ConvolutionStep, _ network: borrowing Network, scales: UnsafeMutablePointer<Double>
    ) -> WeightPackingTask? {
        guard !isCurrent(step.convolution, network), let weights, let bias else { return nil }
        let folding = Folding(step.convolution, network)
        return WeightPackingTask(
            shape: ConvolutionShape(step.convolution.definition, height: 1, width: 1), weights: folding.weights,
            scale: folding.compute(scales: scales, bias: bias), packed: weights)
    }

    /// Notes that it was packed from the network's present values.
    fileprivate mutating func note(_ convolution: FusedConvolution, _ network: borrowing Network) {
        revision = network.revisions[convolution.node]
        normRevision = convolution.norm.map { network.revisions[$0] } ?? 0
        folded = Folding(convolution, network).isFolded
        isPacked = true
    }
}
