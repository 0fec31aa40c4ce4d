// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a scale for each channel, `output = input * scale`, for one image:
/// `inputGradient = outputGradient * scale` and `scaleGradient[c] = sum over pixels of outputGradient * input`.
package struct ChannelScaleGradientTask: KernelTask {
    package let input: Activation
    /// One factor per channel.
    package let scale: UnsafePointer<Float>
    package let outputGradient: Activation
    /// Only its pixels are written. It may be the output gradient, if it does not accumulate.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool
    /// One value per channel, replaced.
    package let scaleGradient: UnsafeMutablePointer<Float>

    package init(
        input: Activation, scale: UnsafePointer<Float>, outputGradient: Activation, inputGradient: Activation,
        accumulates: Bool, scaleGradient: UnsafeMutablePointer<Float>
    ) {
        self.input = input
        self.scale = scale
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
        self.scaleGradient = scaleGradient
    }
}

extension ChannelScaleGradientTask {
    package func assertContract() {
        input.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(input.hasSize(of: outputGradient), "input and output gradient differ in size")
        assert(input.hasSize(of: inputGradient), "input and its gradient differ in size")
    }
}
