// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

/// The BatchNorm of a step, with the values that its gradient needs. The statistics are those of the forward pass.
struct StepNorm {
    private let weight: UnsafePointer<Float>
    private let statistics: TapeStatistics
    let epsilon: Double

    /// Nil if the step has none.
    init?(_ step: TapeStep, _ network: borrowing Network, _ statistics: TapeStatistics) {
        guard let node = step.step.norm, case .batchNorm(let definition) = network.graph.nodes[node].operation else {
            return nil
        }
        weight = network.values(.weight, ofNode: node)
        self.statistics = statistics
        epsilon = definition.epsilon
    }

    /// `1 / sqrt(variance + epsilon)`
    func inverse(_ channel: Int) -> Double { 1 / (statistics.variance[channel] + epsilon).squareRoot() }

    func scale(_ channel: Int) -> Double { Double(weight[channel]) * inverse(channel) }

    func mean(_ channel: Int) -> Double { statistics.mean[channel] }
}

extension TrainingPass {
    func norm(_ step: TapeStep) -> StepNorm? { StepNorm(step, network.pointee, statistics(step)) }

    /// The norm of a step if it uses running statistics, whose scale is part of the convolution before it.
    func runningNorm(_ step: TapeStep) -> StepNorm? { step.usesBatchStatistics ? nil : norm(step) }
}
