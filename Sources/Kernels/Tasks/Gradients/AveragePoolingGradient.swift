// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of average pooling with respect to its input, for one image: each pixel of a window receives the gradient
/// of the average over the divisor.
package struct AveragePoolingGradientTask: KernelTask {
    /// The forward pass, of a whole image: its geometry. Neither its input nor its output is read.
    package let pooling: AveragePoolingTask
    package let outputGradient: Activation
    /// Only its pixels are written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(
        pooling: AveragePoolingTask, outputGradient: Activation, inputGradient: Activation, accumulates: Bool
    ) {
        self.pooling = pooling
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension AveragePoolingGradientTask {
    package func assertContract() {
        pooling.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(inputGradient.hasSize(of: pooling.input), "input and its gradient differ in size")
        assert(outputGradient.hasSize(of: pooling.output), "output and its gradient differ in size")
    }
}
