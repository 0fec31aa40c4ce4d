// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a convolution along the channels of one pixel (`ChannelConvolutionTask`), for one image:
///
/// - `inputGradient[k] = sum over j of weights[j] * outputGradient[k - j + size / 2]`,
/// - `weightGradient[j] += sum over c of outputGradient[c] * input[c + j - size / 2]`, with zeros beyond the channels.
package struct ChannelConvolutionGradientTask: KernelTask {
    /// The forward pass. Its output is not read.
    package let convolution: ChannelConvolutionTask
    /// One pixel.
    package let outputGradient: Activation
    /// One pixel. Only that pixel is written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool
    /// One value per weight; added to. Nil if it is not wanted.
    package let weightGradient: UnsafeMutablePointer<Float>?

    package init(
        convolution: ChannelConvolutionTask, outputGradient: Activation, inputGradient: Activation, accumulates: Bool,
        weightGradient: UnsafeMutablePointer<Float>?
    ) {
        self.convolution = convolution
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
        self.weightGradient = weightGradient
    }
}

extension ChannelConvolutionGradientTask {
    package func assertContract() {
        convolution.assertContract()
        let channels = convolution.input.channels
        assert(outputGradient.hasSize(1, 1, channels), "the output gradient is not one pixel of the channels")
        assert(inputGradient.hasSize(1, 1, channels), "the input gradient is not one pixel of the channels")
    }
}
