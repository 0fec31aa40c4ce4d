// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Copies the pixels of one image `stride` apart, with zeros between them and in the border. A convolution with stride
/// 1 reads the result to compute the gradient of one with a larger stride with respect to its input.
package struct SpreadingTask: KernelTask {
    package let stride: Int
    /// Its border is not read.
    package let input: Activation
    /// At least `(width - 1) * stride + 1` wide, and as high as the same formula gives. All of it is written.
    package let output: Activation

    package init(stride: Int, input: Activation, output: Activation) {
        self.stride = stride
        self.input = input
        self.output = output
    }
}

extension SpreadingTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(stride >= 1)
        assert(input.channels == output.channels, "input and output differ in channels")
        assert(output.width > (input.width - 1) * stride && output.height > (input.height - 1) * stride)
    }
}
