// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The weights of units as the convolution kernels want them, once for each algorithm that a plan has asked for.
///
/// A BatchNorm that uses running statistics is folded into its convolution, in Double and rounded once:
/// `weight * gamma / sqrt(var + epsilon)` and `beta - mean * gamma / sqrt(var + epsilon)`. In front of one that uses the
/// statistics of the batch the weights are as they are and the bias is zero.
struct PackedWeights: ~Copyable {
    /// The packed copy of a unit for one algorithm, and what it was made from.
    struct Copy: BitwiseCopyable {
        var weights: UnsafeMutablePointer<Float>?
        var bias: UnsafeMutablePointer<Float>?
        var revision = UnitRevision()
        var folded = false
        var isPacked = false
        /// Floats of both together.
        var count = 0

        /// Whether it was made from the network's present values for its present mode.
        func isCurrent(_ unit: Int, _ network: borrowing Network) -> Bool {
            guard isPacked && folded == !network.usesBatchStatistics(unit: unit) else { return false }
            let present = network.revisions[unit]
            return present.convolution == revision.convolution && (!folded || present.norm == revision.norm)
        }
    }

    /// Of unit `index / ConvolutionAlgorithm.count` for algorithm `index % ConvolutionAlgorithm.count`.
    var copies: UniqueArray<Copy>
    /// What the copies lie in: a block for all that a plan needed and no earlier one had, in the order of its steps. A copy
    /// keeps its place; one that is dropped gives back the pages.
    private var blocks = UniqueArray<Buffer<Float>>()

    init(unitCount: Int) throws(BackboneError) {
        copies = try UniqueArray(repeating: Copy(), count: unitCount * ConvolutionAlgorithm.count)
    }

    static func index(_ unit: Int, _ algorithm: ConvolutionAlgorithm) -> Int {
        unit * ConvolutionAlgorithm.count + algorithm.rawValue
    }

    /// What a convolution reads; `update` must have succeeded for a plan that has it.
    func addresses(
        unit: Int, _ algorithm: ConvolutionAlgorithm
    ) -> (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>) {
        let copy = copies[Self.index(unit, algorithm)]
        return (UnsafePointer(copy.weights.unsafelyUnwrapped), UnsafePointer(copy.bias.unsafelyUnwrapped))
    }

    /// Whether all that a plan needs is there, made from the network's present values.
    func isCurrent(_ network: borrowing Network, for plan: borrowing Plan) -> Bool {
        for step in 0..<plan.steps.count {
            guard case .convolution(let convolution) = plan.steps[step] else { continue }
            let copy = copies[Self.index(convolution.unit, convolution.algorithm)]
            guard copy.isCurrent(convolution.unit, network) else { return false }
        }
        return true
    }

    /// Packs what a plan needs and is absent or stale, with the threads of the pool. The caller has the network and these
    /// weights alone.
    mutating func update(
        _ network: UnsafePointer<Network>, for plan: UnsafePointer<Plan>, _ kernels: ConvolutionKernels,
        _ pool: borrowing ThreadPool, _ cancellation: Cancellation
    ) throws(BackboneError) {
        try allocate(network.pointee, for: plan.pointee, kernels)
        var widest = 0
        for unit in 0..<network.pointee.units.count { widest = max(widest, network.pointee.units[unit].outputChannels) }
        let scales = try Buffer<Double>(count: widest * pool.threadCount)
        var work = Packing(
            network: network, plan: plan, kernels: kernels, copies: copies.mutableElements, scales: scales.start,
            scalesPerWorker: widest)
        let count = plan.pointee.steps.count
        withUnsafeMutablePointer(to: &work) { work in
            pool.run(count: count, cancellation: cancellation, context: UnsafeMutableRawPointer(work)) {
                context, step, worker in
                context.assumingMemoryBound(to: Packing.self).pointee.pack(step: step, worker: worker)
            }
        }
        try cancellation.check()
    }

    /// Makes room for the copies that a plan needs and that have none.
    private mutating func allocate(
        _ network: borrowing Network, for plan: borrowing Plan, _ kernels: ConvolutionKernels
    ) throws(BackboneError) {
        guard let size = place(network, plan, kernels, in: nil) else {
            throw BackboneError(.outOfMemory, "cannot allocate the packed weights")
        }
        if size == 0 { return }
        try blocks.reserve(blocks.count + 1)
        let block = try Buffer<Float>(count: size)
        _ = place(network, plan, kernels, in: block.start)
        blocks.appendReserved(block)
    }

    /// Lays the copies that have no room yet one behind the other, from `start` on if there is one, and returns how many
    /// floats they take; nil where that has no place in an Int.
    private mutating func place(
        _ network: borrowing Network, _ plan: borrowing Plan, _ kernels: ConvolutionKernels,
        in start: UnsafeMutablePointer<Float>?
    ) -> Int? {
        var size = 0
        for step in 0..<plan.steps.count {
            guard case .convolution(let convolution) = plan.steps[step] else { continue }
            let index = Self.index(convolution.unit, convolution.algorithm)
            guard copies[index].weights == nil else { continue }
            let shape = ConvolutionShape(network.units[convolution.unit], height: 1, width: 1)
            let weights = Heap.aligned(kernels[convolution.algorithm, shape].packedCount(shape), Float.self)
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

    /// What the threads that pack share. Each writes to copies of its own: a plan has every unit once.
    private struct Packing {
        let network: UnsafePointer<Network>
        let plan: UnsafePointer<Plan>
        let kernels: ConvolutionKernels
        let copies: UnsafeMutableBufferPointer<Copy>
        let scales: UnsafeMutablePointer<Double>
        let scalesPerWorker: Int

        func pack(step: Int, worker: Int) {
            guard case .convolution(let convolution) = plan.pointee.steps[step] else { return }
            let index = PackedWeights.index(convolution.unit, convolution.algorithm)
            if copies[index].isCurrent(convolution.unit, network.pointee) { return }
            guard let weights = copies[index].weights, let bias = copies[index].bias else { return }
            let unit = network.pointee.units[convolution.unit]
            let scales = scales + worker * scalesPerWorker
            let folded = !network.pointee.usesBatchStatistics(unit: convolution.unit)
            if folded {
                fold(unit, scales: scales, bias: bias)
            } else {
                bias.update(repeating: 0, count: unit.outputChannels)
            }
            let shape = ConvolutionShape(unit, height: 1, width: 1)
            kernels[convolution.algorithm, shape].pack(
                shape, network.pointee.floats + unit.valueOffset,
                folded ? UnsafePointer(scales) : nil, weights)
            copies[index].revision = network.pointee.revisions[convolution.unit]
            copies[index].folded = folded
            copies[index].isPacked = true
        }

        private func fold(
            _ unit: ConvolutionUnit, scales: UnsafeMutablePointer<Double>, bias: UnsafeMutablePointer<Float>
        ) {
            let values = network.pointee.floats
            let epsilon = network.pointee.configuration.normEpsilon
            for channel in 0..<unit.outputChannels {
                let variance = Double(values[unit.runningVarOffset + channel])
                let scale =
                    Double(values[unit.normWeightOffset + channel]) / (variance + epsilon).squareRoot()
                let shift = Double(values[unit.runningMeanOffset + channel]) * scale
                scales[channel] = scale
                bias[channel] = Float(Double(values[unit.normBiasOffset + channel]) - shift)
            }
        }
    }
}
