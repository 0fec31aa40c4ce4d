// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Copies every `stride`-th row and column of one image, and adds channels of zeros, half of them before the image's own:
/// the shortcut A of He et al. 2015 (arXiv:1512.03385), section 4.2.
package struct SubsampleTask: KernelTask {
    package let stride: Int
    /// Its border is not read.
    package let input: Activation
    /// `(width - 1) / stride + 1` wide, with at least the channels of the input. Only its pixels are written.
    package let output: Activation

    package init(stride: Int, input: Activation, output: Activation) {
        self.stride = stride
        self.input = input
        self.output = output
    }

    /// The output channel of the input's first channel.
    var firstChannel: Int { (output.channels - input.channels) / 2 }
}

extension SubsampleTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(stride >= 1)
        assert(output.channels >= input.channels, "the output has fewer channels than the input")
        assert(output.width == (input.width - 1) / stride + 1, "the output is not as wide as the stride gives")
        assert((output.height - 1) * stride < input.height, "the input has no row for the last one of the output")
    }
}
