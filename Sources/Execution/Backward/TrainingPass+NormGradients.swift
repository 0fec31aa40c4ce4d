// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// The gradients of norms, and of the ReLU after them.
extension TrainingPass {
    /// Masks the gradient of a step by its ReLU, and on request sums it for each channel.
    ///
    /// - Parameter input: The input of the norm, if the sums of products are wanted.
    mutating func maskGradient(_ step: TapeStep, input: Activation?) {
        let (statistics, gradient) = (statistics(step), activation(step.gradient))
        perform(
            kernels.gradients.normSums,
            NormGradientSumsTask(
                imageCount: imageCount, gradient: gradient,
                result: step.step.function == .relu ? activation(step.value) : nil, masked: gradient, input: input,
                mean: statistics.mean, sum: statistics.sum, productSum: statistics.productSum))
    }

    /// The gradient of a BatchNorm with the statistics of the batch with respect to its input.
    mutating func batchNormGradient(
        _ step: TapeStep, input: Activation, to out: Activation
    ) {
        guard let norm = step.step.norm, case .batchNorm(let definition) = network.pointee.graph.nodes[norm].operation
        else { return }
        let statistics = statistics(step)
        perform(
            kernels.gradients.batchNormalization,
            BatchNormalizationGradientTask(
                imageCount: imageCount, gradient: activation(step.gradient), input: input, mean: statistics.mean,
                variance: statistics.variance, epsilon: definition.epsilon,
                weight: network.pointee.values(.weight, ofNode: norm), sum: statistics.sum,
                productSum: statistics.productSum, inputGradient: out))
    }

    /// Adds the gradients of a BatchNorm's parameters, from the sums, to the caller's vector.
    func addBatchNormGradients(_ step: TapeStep, _ state: BackwardState) {
        guard let node = step.step.norm, let norm = norm(step), !isMeasuring else { return }
        let statistics = statistics(step)
        addBias(step, ofNode: node, state)
        guard let weight = state.sum(.weight, ofNode: node, network.pointee.graph) else { return }
        for channel in 0..<step.step.channels {
            weight[channel] += Float(statistics.productSum[channel] * norm.inverse(channel))
        }
    }

    /// Adds the sums of the gradient to those of a bias.
    func addBias(_ step: TapeStep, ofNode node: Int, _ state: BackwardState) {
        guard !isMeasuring, let bias = state.sum(.bias, ofNode: node, network.pointee.graph) else { return }
        let statistics = statistics(step)
        for channel in 0..<step.step.channels { bias[channel] += Float(statistics.sum[channel]) }
    }

    /// A BatchNorm that is a step of its own.
    mutating func normalizationGradient(_ step: TapeStep, _ state: BackwardState) {
        let input = activation(step.source)
        maskGradient(step, input: input)
        passToAddend(step, state)
        addBatchNormGradients(step, state)
        guard let target = contribution(to: step.source, state) else { return }
        if !step.usesBatchStatistics && !isMeasuring {
            // Constants do not affect the gradient.
            statistics(step).sum.update(repeating: 0, count: step.step.channels)
            statistics(step).productSum.update(repeating: 0, count: step.step.channels)
        }
        if !target.accumulates { return batchNormGradient(step, input: input, to: activation(target.tensor)) }
        batchNormGradient(step, input: input, to: activation(step.gradient))
        add(step.gradient, to: target)
    }

    mutating func groupNormalizationGradient(_ step: TapeStep, _ state: BackwardState) {
        guard let norm = step.step.norm, case .groupNorm(let definition) = network.pointee.graph.nodes[norm].operation
        else { return }
        if step.step.function == .relu { maskGradient(step, input: nil) }
        passToAddend(step, state)
        // Its parameters have gradients even if the gradient of its input is not needed: that then replaces the step's
        // own.
        let target = contribution(to: step.source, state) ?? (step.gradient, false)
        let statistics = statistics(step)
        if !isMeasuring {
            statistics.sum.update(repeating: 0, count: step.step.channels)
            statistics.productSum.update(repeating: 0, count: step.step.channels)
        }
        for image in visitedImages {
            perform(
                kernels.gradients.groupNormalization,
                GroupNormalizationGradientTask(
                    input: activation(step.source, image: image), groups: definition.groups,
                    epsilon: definition.epsilon, weight: network.pointee.values(.weight, ofNode: norm),
                    outputGradient: activation(step.gradient, image: image),
                    inputGradient: activation(target.tensor, image: image), accumulates: target.accumulates,
                    weightGradient: statistics.productSum, biasGradient: statistics.sum))
        }
        addBias(step, ofNode: norm, state)
        guard !isMeasuring, let weight = state.sum(.weight, ofNode: norm, network.pointee.graph) else { return }
        for channel in 0..<step.step.channels { weight[channel] += Float(statistics.productSum[channel]) }
    }
}
