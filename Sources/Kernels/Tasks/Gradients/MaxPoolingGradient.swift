// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of max pooling with respect to its input, for one image, as PyTorch's `max_pool2d` defines it.
///
/// The gradient of an output goes to the first maximum of its window in row-major order; if the window has NaNs, to the
/// last one of them. Padding never wins.
package struct MaxPoolingGradientTask: KernelTask {
    /// The forward pass, of a whole image. Its output is not read.
    package let pooling: MaxPoolingTask
    package let outputGradient: Activation
    /// Only its pixels are written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(
        pooling: MaxPoolingTask, outputGradient: Activation, inputGradient: Activation, accumulates: Bool
    ) {
        self.pooling = pooling
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension MaxPoolingGradientTask {
    package func assertContract() {
        pooling.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(inputGradient.hasSize(of: pooling.input), "input and its gradient differ in size")
        assert(outputGradient.hasSize(of: pooling.output), "output and its gradient differ in size")
    }
}
