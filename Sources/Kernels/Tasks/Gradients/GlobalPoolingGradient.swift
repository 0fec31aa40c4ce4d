// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of global average pooling with respect to its input, for one image: the gradient of the mean over the number
/// of pixels, for every pixel.
package struct GlobalPoolingGradientTask: KernelTask {
    /// One pixel.
    package let outputGradient: Activation
    /// Has the channels of the output gradient. Only its pixels are written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(outputGradient: Activation, inputGradient: Activation, accumulates: Bool) {
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension GlobalPoolingGradientTask {
    package func assertContract() {
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(outputGradient.hasSize(1, 1, inputGradient.channels), "the output gradient is not one pixel")
    }
}
