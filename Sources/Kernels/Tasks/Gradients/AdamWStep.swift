// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// One step of AdamW for contiguous parameters, in place, with the operations of PyTorch's default path for
/// the CPU: bias corrections and step size are computed in Double and rounded to Float, as are all scalars.
///
///     parameter *= 1 - learningRate * weightDecay             unless the decay is 0
///     average = lerp(average, g, 1 - beta1)
///     square = fma((1 - beta2) * g, g, square * beta2)
///     denominator = sqrt(square) / sqrt(1 - beta2^step) + epsilon
///     parameter += -learningRate / (1 - beta1^step) * average / denominator
///
/// The averages have PyTorch's bits. Its square root is not rounded correctly on every CPU, so a parameter may differ
/// by 1 or 2 units in the last place, of itself or of its change.
package struct AdamWStepTask: KernelTask {
    /// The options of a group of parameters.
    package struct Rule: BitwiseCopyable, Sendable {
        package var learningRate: Double
        package var weightDecay: Double
        package var beta1: Double
        package var beta2: Double
        package var epsilon: Double

        package init(learningRate: Double, weightDecay: Double, beta1: Double, beta2: Double, epsilon: Double) {
            self.learningRate = learningRate
            self.weightDecay = weightDecay
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
        }
    }

    let step: shims_adamw_step

    /// - Parameters:
    ///   - averages: and `squares`, one value for each parameter, 0 before the first step.
    ///   - number: of the step, from 1.
    package init(
        parameters: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>,
        averages: UnsafeMutablePointer<Float>, squares: UnsafeMutablePointer<Float>, count: Int, _ rule: Rule,
        number: Double
    ) {
        step = shims_adamw_step(
            parameters: parameters, gradients: gradients, averages: averages, squares: squares, count: count,
            kept: Float(1 - rule.learningRate * rule.weightDecay), decays: rule.weightDecay != 0,
            share: Float(1 - rule.beta1), square_kept: Float(rule.beta2), square_share: Float(1 - rule.beta2),
            correction: Float((1 - pow(rule.beta2, number)).squareRoot()), epsilon: Float(rule.epsilon),
            negated_rate: Float(-(rule.learningRate / (1 - pow(rule.beta1, number)))))
    }
}

extension AdamWStepTask {
    package func assertContract() {
        assert(step.count >= 1, "no parameters")
    }

    var blockCount: Int { parameterBlockCount(step.count) }

    /// The work of a block.
    func part(_ block: Int) -> shims_adamw_step {
        let range = parameterBlock(block, of: step.count)
        return step.part(range.lowerBound, range.count)
    }
}

extension shims_adamw_step {
    /// The same for some of the parameters.
    func part(_ first: Int, _ count: Int) -> shims_adamw_step {
        var part = self
        part.parameters = parameters + first
        part.gradients = gradients + first
        part.averages = averages + first
        part.squares = squares + first
        part.count = count
        return part
    }
}
