// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// Norms that are not folded into a convolution.
extension Pass {
    /// The statistics of a step's norm: means first, then variances.
    private func statistics(_ step: PlanStep) -> UnsafeMutablePointer<Double> {
        switch memory {
        case .some(let memory): memory.statistics + step.step.statisticsOffset
        // Not read.
        case .none: UnsafeMutablePointer<Double>(bitPattern: Heap.alignment).unsafelyUnwrapped
        }
    }

    /// BatchNorm of a convolution's output in place, or of a tensor by itself. The statistics of a batch stay for
    /// `keepStatistics`.
    mutating func normalize(_ step: PlanStep, _ rows: BandStep, _ images: Range<Int>) {
        guard let norm = step.step.norm, case .batchNorm(let definition) = network.pointee.graph.nodes[norm].operation
        else { return }
        let isInPlace = step.kind == .convolution
        let mean = statistics(step)
        let variance = mean + step.step.channels
        if usesBatchStatistics(of: norm) {
            let first = input(step, rows, images.lowerBound, isInPlace: isInPlace)
            perform(
                engine.pointee.kernels.batchStatistics,
                BatchStatisticsTask(
                    input: first, imageCount: images.count, mean: mean, variance: variance, cancellation: cancellation))
        } else if memory != nil {
            let runningMean = network.pointee.values(.runningMean, ofNode: norm)
            let runningVar = network.pointee.values(.runningVar, ofNode: norm)
            for channel in 0..<step.step.channels {
                mean[channel] = Double(runningMean[channel])
                variance[channel] = Double(runningVar[channel])
            }
        }
        for image in visited(images) {
            perform(
                engine.pointee.kernels.batchNormalization,
                BatchNormalizationTask(
                    input: input(step, rows, image, isInPlace: isInPlace), mean: mean, variance: variance,
                    epsilon: definition.epsilon, weight: network.pointee.values(.weight, ofNode: norm),
                    bias: network.pointee.values(.bias, ofNode: norm), residual: residual(step, rows, image),
                    relu: step.step.function == .relu, output: target(step, rows, image)))
        }
    }

    private func input(_ step: PlanStep, _ rows: BandStep, _ image: Int, isInPlace: Bool) -> Activation {
        isInPlace ? target(step, rows, image) : source(step, rows.rows, rows, image)
    }

    /// Updates the network's running statistics from those of the batch: at the end, so that a cancelled forward pass
    /// leaves them unchanged.
    func keepStatistics() {
        for index in 0..<plan.pointee.steps.count {
            let step = plan.pointee.steps[index]
            guard memory != nil, let norm = step.step.norm, let target = step.target,
                network.pointee.usesBatchStatistics(node: norm)
            else { continue }
            let tensor = plan.pointee.tensors[target]
            let mean = statistics(step)
            network.pointee.updateRunningStatistics(
                node: norm, mean: mean, variance: mean + tensor.channels,
                count: arguments.input.shape.n * tensor.height * tensor.width)
        }
    }
}
