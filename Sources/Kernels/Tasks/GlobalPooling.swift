// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The mean of each channel over all pixels of one image.
package struct GlobalPoolingTask: KernelTask {
    /// Its border is not read.
    package let input: Activation
    /// One pixel with the channels of the input. Only that pixel is written.
    package let output: Activation

    package init(input: Activation, output: Activation) {
        self.input = input
        self.output = output
    }
}

extension GlobalPoolingTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(output.hasSize(1, 1, input.channels), "the output is not one pixel with the channels of the input")
    }
}
