// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A convolution along the channels of one pixel: `output[c] = sum of weights[j] * input[c + j - size / 2]`, with zeros
/// outside of the channels. It is PyTorch's `Conv1d(1, 1, size, padding=size // 2, bias=False)` of the channel means,
/// by which ECA-Net weights channels (Wang et al. 2020, arXiv:1910.03151).
package struct ChannelConvolutionTask: KernelTask {
    /// Odd.
    package let size: Int
    /// `size` weights.
    package let weights: UnsafePointer<Float>
    /// One pixel. Its border is not read.
    package let input: Activation
    /// One pixel with the channels of the input, elsewhere in memory. Only that pixel is written.
    package let output: Activation

    package init(size: Int, weights: UnsafePointer<Float>, input: Activation, output: Activation) {
        self.size = size
        self.weights = weights
        self.input = input
        self.output = output
    }

    /// The elements of the filter that read an existing channel.
    func elements(of channel: Int) -> Range<Int> {
        let first = channel - size / 2
        return max(0, -first)..<min(size, input.channels - first)
    }
}

extension ChannelConvolutionTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(size >= 1 && size % 2 == 1, "the filter has no middle")
        assert(input.hasSize(1, 1, output.channels), "the input is not one pixel with the channels of the output")
        assert(output.hasSize(1, 1, input.channels), "the output is not one pixel with the channels of the input")
        assert(abs(output.origin - input.origin) >= input.channels, "input and output overlap")
    }
}
