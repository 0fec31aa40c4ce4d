// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Max pooling of one image as PyTorch's `max_pool2d` defines it: windows are clipped to the image (padding is minus
/// infinity, not zero), and a window that holds a NaN gives NaN.
package struct MaxPoolingTask: KernelTask {
    package let kernelSize: Int
    package let stride: Int
    /// At most half of `kernelSize`, so that every window holds a pixel.
    package let padding: Int
    /// The number of rows above the input at which the first window begins: `padding`, unless input and output are some
    /// rows from the middle of an image.
    package let topPadding: Int
    /// Its border is not read.
    package let input: Activation
    /// `floor((width + 2 * padding - kernelSize) / stride) + 1` wide. Only its pixels are written.
    package let output: Activation

    package init(
        kernelSize: Int, stride: Int, padding: Int, topPadding: Int? = nil, input: Activation, output: Activation
    ) {
        self.kernelSize = kernelSize
        self.stride = stride
        self.padding = padding
        self.topPadding = topPadding ?? padding
        self.input = input
        self.output = output
    }

    /// The input rows of the windows of an output row.
    func rows(of outputRow: Int) -> Range<Int> {
        let start = outputRow * stride - topPadding
        return max(start, 0)..<min(start + kernelSize, input.height)
    }

    /// The input columns of the windows of an output column.
    func columns(of outputColumn: Int) -> Range<Int> {
        let start = outputColumn * stride - padding
        return max(start, 0)..<min(start + kernelSize, input.width)
    }
}

extension MaxPoolingTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(kernelSize >= 1 && stride >= 1 && padding >= 0 && 2 * padding <= kernelSize)
        assert(0...padding ~= topPadding)
        assert(input.channels == output.channels, "input and output differ in channels")
        assert(
            output.width == (input.width + 2 * padding - kernelSize) / stride + 1,
            "the output is not as wide as the windows give")
        assert(!rows(of: output.height - 1).isEmpty, "the last windows hold no row of the input")
    }
}
