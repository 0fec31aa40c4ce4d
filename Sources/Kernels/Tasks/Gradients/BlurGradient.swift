// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of a binomial filter with respect to its input, for one image: the filter transposed, reflected borders
/// included.
package struct BlurGradientTask: KernelTask {
    /// The forward pass: its geometry. Neither its input nor its output is read.
    package let blur: BlurTask
    package let outputGradient: Activation
    /// Only its pixels are written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(blur: BlurTask, outputGradient: Activation, inputGradient: Activation, accumulates: Bool) {
        self.blur = blur
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension BlurGradientTask {
    package func assertContract() {
        blur.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(inputGradient.hasSize(of: blur.input), "input and its gradient differ in size")
        assert(outputGradient.hasSize(of: blur.output), "output and its gradient differ in size")
    }
}
