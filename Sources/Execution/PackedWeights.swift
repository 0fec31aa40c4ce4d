// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The weights of all units as the convolution kernel wants them.
///
/// A BatchNorm that uses running statistics is folded into its convolution, in Double and rounded once:
/// `weight * gamma / sqrt(var + epsilon)` and `beta - mean * gamma / sqrt(var + epsilon)`. In front of one that uses the
/// statistics of the batch the weights are as they are and the bias is zero.
struct PackedWeights: ~Copyable {
    /// What the packed copy of a unit was made from.
    private struct Unit: BitwiseCopyable {
        var weightOffset = 0
        var biasOffset = 0
        var revision = UnitRevision()
        var folded = false
        var isPacked = false

        /// Whether it was made from the network's present values for its present mode.
        func isCurrent(_ index: Int, _ network: borrowing Network) -> Bool {
            guard isPacked && folded == !network.usesBatchStatistics(unit: index) else { return false }
            let present = network.revisions[index]
            return present.convolution == revision.convolution && (!folded || present.norm == revision.norm)
        }
    }

    private var units: UniqueArray<Unit>
    private let floats: Buffer<Float>

    init(_ network: borrowing Network, _ kernel: ConvolutionKernel) throws(BackboneError) {
        var units = try UniqueArray(repeating: Unit(), count: network.units.count)
        var size = 0
        for index in 0..<network.units.count {
            let shape = ConvolutionShape(network.units[index], height: 1, width: 1)
            let weights = Heap.aligned(kernel.packedCount(shape), Float.self)
            let bias = Heap.aligned(shape.outputChannels, Float.self)
            guard let weights, let bias, let end = checkedSum(size, checkedSum(weights, bias)) else {
                throw BackboneError(.outOfMemory, "cannot allocate the packed weights")
            }
            units[index].weightOffset = size
            units[index].biasOffset = size + weights
            size = end
        }
        floats = try Buffer(count: size)
        self.units = units
    }

    func weights(unit: Int) -> UnsafePointer<Float> { UnsafePointer(floats.start + units[unit].weightOffset) }
    func bias(unit: Int) -> UnsafePointer<Float> { UnsafePointer(floats.start + units[unit].biasOffset) }

    func isCurrent(_ network: borrowing Network) -> Bool {
        for unit in 0..<units.count where !units[unit].isCurrent(unit, network) { return false }
        return true
    }

    /// Packs what is stale, with the threads of the pool. The caller has the network and these weights alone.
    mutating func update(
        _ network: UnsafePointer<Network>, _ kernel: ConvolutionKernel, _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        var widest = 0
        for unit in 0..<units.count { widest = max(widest, network.pointee.units[unit].outputChannels) }
        let scales = try Buffer<Double>(count: widest * pool.threadCount)
        var work = Packing(
            network: network, kernel: kernel, units: units.mutableElements, floats: floats.start,
            scales: scales.start, scalesPerWorker: widest)
        withUnsafeMutablePointer(to: &work) { work in
            pool.run(count: units.count, context: UnsafeMutableRawPointer(work)) { context, unit, worker in
                context.assumingMemoryBound(to: Packing.self).pointee.pack(unit, worker: worker)
            }
        }
    }

    /// What the threads that pack share. Each writes to units of its own.
    private struct Packing {
        let network: UnsafePointer<Network>
        let kernel: ConvolutionKernel
        let units: UnsafeMutableBufferPointer<Unit>
        let floats: UnsafeMutablePointer<Float>
        let scales: UnsafeMutablePointer<Double>
        let scalesPerWorker: Int

        func pack(_ index: Int, worker: Int) {
            if units[index].isCurrent(index, network.pointee) { return }
            let unit = network.pointee.units[index]
            let values = network.pointee.floats
            let scales = scales + worker * scalesPerWorker
            let bias = floats + units[index].biasOffset
            let folded = !network.pointee.usesBatchStatistics(unit: index)
            for channel in 0..<unit.outputChannels {
                guard folded else {
                    bias[channel] = 0
                    continue
                }
                let variance = Double(values[unit.runningVarOffset + channel])
                let scale =
                    Double(values[unit.normWeightOffset + channel]) / (variance + BatchNorm.epsilon).squareRoot()
                let shift = Double(values[unit.runningMeanOffset + channel]) * scale
                scales[channel] = scale
                bias[channel] = Float(Double(values[unit.normBiasOffset + channel]) - shift)
            }
            kernel.pack(
                ConvolutionShape(unit, height: 1, width: 1), values + unit.valueOffset,
                folded ? UnsafePointer(scales) : nil, floats + units[index].weightOffset)
            units[index].revision = network.pointee.revisions[index]
            units[index].folded = folded
            units[index].isPacked = true
        }
    }
}
