// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A step of SGD, parameter by parameter.
enum ReferenceSGDStep {
    static var kernel: Kernel<SGDStepTask> {
        Kernel(
            name: "sgdStepF32_reference", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task.part(block)) })
    }

    private static func run(_ step: shims_sgd_step) {
        for index in 0..<step.count {
            let parameter = step.parameters[index]
            var gradient = step.gradients[index]
            if step.decays { gradient = gradient.addingProduct(parameter, step.weight_decay) }
            if let buffer = step.momentum_buffer {
                if step.begins {
                    buffer[index] = gradient
                } else {
                    buffer[index] = (buffer[index] * step.momentum).addingProduct(gradient, step.gradient_share)
                }
                gradient = step.is_nesterov ? gradient.addingProduct(buffer[index], step.momentum) : buffer[index]
            }
            step.parameters[index] = parameter.addingProduct(gradient, step.negated_rate)
        }
    }
}

/// A step of AdamW, parameter by parameter.
enum ReferenceAdamWStep {
    static var kernel: Kernel<AdamWStepTask> {
        Kernel(
            name: "adamWStepF32_reference", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task.part(block)) })
    }

    private static func run(_ step: shims_adamw_step) {
        for index in 0..<step.count {
            let gradient = step.gradients[index]
            let difference = gradient - step.averages[index]
            let average =
                step.share < 0.5
                ? step.averages[index].addingProduct(step.share, difference)
                : gradient.addingProduct(step.share - 1, difference)
            let square = (step.squares[index] * step.square_kept).addingProduct(step.square_share * gradient, gradient)
            let denominator = square.squareRoot() / step.correction + step.epsilon
            if step.decays { step.parameters[index] *= step.kept }
            step.parameters[index] += step.negated_rate * average / denominator
            step.averages[index] = average
            step.squares[index] = square
        }
    }
}
