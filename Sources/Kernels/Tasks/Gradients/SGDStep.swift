// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// One step of SGD for contiguous parameters, in place, with the bits of PyTorch's default path for the CPU:
/// scalars are rounded to Float, and the sums marked `fma` are rounded once.
///
///     g = fma(parameter, weightDecay, g)                      unless the decay is 0
///     buffer = g                                              at the first step, with momentum
///     buffer = fma(g, 1 - dampening, buffer * momentum)       later
///     g = buffer, with Nesterov's momentum g = fma(buffer, momentum, g)
///     parameter = fma(g, -learningRate, parameter)
package struct SGDStepTask: KernelTask {
    /// The options of a group of parameters.
    package struct Rule: BitwiseCopyable, Sendable {
        package var learningRate: Double
        package var weightDecay: Double
        package var momentum: Double
        package var dampening: Double
        package var isNesterov: Bool

        package init(
            learningRate: Double, weightDecay: Double, momentum: Double, dampening: Double, isNesterov: Bool
        ) {
            self.learningRate = learningRate
            self.weightDecay = weightDecay
            self.momentum = momentum
            self.dampening = dampening
            self.isNesterov = isNesterov
        }
    }

    let step: shims_sgd_step

    /// - Parameters:
    ///   - momentumBuffer: one value for each parameter; used only with momentum.
    ///   - begins: whether this is the first step, which fills the buffer.
    package init(
        parameters: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>,
        momentumBuffer: UnsafeMutablePointer<Float>?, count: Int, _ rule: Rule, begins: Bool
    ) {
        step = shims_sgd_step(
            parameters: parameters, gradients: gradients, momentum_buffer: rule.momentum == 0 ? nil : momentumBuffer,
            count: count, negated_rate: Float(-rule.learningRate), weight_decay: Float(rule.weightDecay),
            momentum: Float(rule.momentum), gradient_share: Float(1 - rule.dampening), decays: rule.weightDecay != 0,
            begins: begins, is_nesterov: rule.isNesterov)
    }
}

extension SGDStepTask {
    package func assertContract() {
        assert(step.count >= 1, "no parameters")
        assert(step.momentum_buffer != nil || step.momentum == 0, "momentum has no buffer")
    }

    var blockCount: Int { parameterBlockCount(step.count) }

    /// The work of a block.
    func part(_ block: Int) -> shims_sgd_step {
        let range = parameterBlock(block, of: step.count)
        return step.part(range.lowerBound, range.count)
    }
}

extension shims_sgd_step {
    /// The same for some of the parameters.
    func part(_ first: Int, _ count: Int) -> shims_sgd_step {
        var part = self
        part.parameters = parameters + first
        part.gradients = gradients + first
        part.momentum_buffer = momentum_buffer.map { $0 + first }
        part.count = count
        return part
    }
}
