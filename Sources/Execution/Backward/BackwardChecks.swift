// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Networks
import Runtime

extension Network {
    /// Checks the arguments of a backward pass after a forward pass over images of a shape.
    borrowing func check(
        _ arguments: BackwardArguments, input: Dimensions, count: Int, expected: Int, takesInputGradient: Bool
    ) throws(BackboneError) {
        for index in 0..<graph.outputs.count where arguments.outputGradients[index].data != nil {
            try arguments.outputGradients[index].check(
                "output_gradients[\(index)]", shape: outputShape(index, input: input))
        }
        if arguments.gradients != nil && count != expected {
            throw BackboneError(
                .invalidArgument, "gradient_count is \(count), expected \(expected); call backbone_trainable_count")
        }
        guard let gradient = arguments.inputGradient else { return }
        guard takesInputGradient else {
            throw BackboneError(
                .invalidArgument,
                "input_gradient is set, but the tape was created without the option input_gradient; set it to 1")
        }
        try gradient.check("input_gradient", shape: input)
        try gradient.checkDisjoint("input_gradient")
    }

    /// Checks the destinations of the gradients with respect to outputs.
    borrowing func checkFeatureGradients(
        _ views: OutputViews, input: Dimensions, _ plan: borrowing TapePlan
    ) throws(BackboneError) {
        for index in 0..<graph.outputs.count where views[index].data != nil {
            guard plan.hasGradient(ofOutput: index) else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    feature_gradients[\(index)] is set, but nothing before this output is trained; create the tape \
                    with the option input_gradient, or freeze fewer stages
                    """
                )
            }
            try views[index].check("feature_gradients[\(index)]", shape: outputShape(index, input: input))
            try views[index].checkDisjoint("feature_gradients[\(index)]")
        }
    }

    /// The check of a forward pass, for one with a tape.
    borrowing func checkBatchStatistics(_ plan: borrowing TapePlan) throws(BackboneError) {
        for index in 0..<plan.steps.count {
            let step = plan.steps[index]
            guard let norm = step.step.norm, step.usesBatchStatistics, step.value >= 0 else { continue }
            let tensor = plan.tensors[step.value]
            if plan.imageCount == 1 && tensor.height == 1 && tensor.width == 1 {
                throw oneValue(norm, tensor.channels)
            }
        }
    }
}
