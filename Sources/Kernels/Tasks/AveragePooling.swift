// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Average pooling of one image as PyTorch's `avg_pool2d` defines it, with `ceil_mode` if the output has the size for it.
/// Each window is clipped to the padded image; the average is the sum of the pixels in the window over a divisor.
package struct AveragePoolingTask: KernelTask {
    package let size: Int
    package let stride: Int
    /// Columns on the left of the image. At most half of `size`.
    package let padding: Int
    /// Columns on the right of it: at most `size - 1`, and as many as on the left except for TensorFlow-style padding.
    package let trailingPadding: Int
    /// Rows above the input's first row: `padding`, unless the input is a band of rows that starts further down.
    package let topPadding: Int
    /// Rows below the input's last row: `trailingPadding`, unless the input is a band of rows that ends further up.
    package let bottomPadding: Int
    /// Whether the divisor counts the pixels of the padding (`count_include_pad`), or the image's pixels alone.
    package let countsPadding: Bool
    /// Its border is not read.
    package let input: Activation
    /// Only its pixels are written.
    package let output: Activation

    package init(
        size: Int, stride: Int, padding: Int, trailingPadding: Int? = nil, topPadding: Int? = nil,
        bottomPadding: Int? = nil, countsPadding: Bool, input: Activation, output: Activation
    ) {
        self.size = size
        self.stride = stride
        self.padding = padding
        self.topPadding = topPadding ?? padding
        self.trailingPadding = trailingPadding ?? padding
        self.bottomPadding = bottomPadding ?? self.trailingPadding
        self.countsPadding = countsPadding
        self.input = input
        self.output = output
    }

    /// The input rows in the windows of an output row.
    func rows(of outputRow: Int) -> ClippedWindow {
        ClippedWindow(
            start: outputRow * stride - topPadding, size: size, count: input.height, paddingAfter: bottomPadding,
            countsPadding: countsPadding)
    }

    /// The input columns in the windows of an output column.
    func columns(of outputColumn: Int) -> ClippedWindow {
        ClippedWindow(
            start: outputColumn * stride - padding, size: size, count: input.width, paddingAfter: trailingPadding,
            countsPadding: countsPadding)
    }
}

/// A window on one side of an image, clipped to the image.
struct ClippedWindow {
    /// The pixels of the image in the window.
    let pixels: Range<Int>
    /// This side's factor of the divisor.
    let divisor: Int

    /// - Parameters:
    ///   - start: The window's first pixel; negative in the padding.
    ///   - count: The pixels of the image on this side.
    init(start: Int, size: Int, count: Int, paddingAfter: Int, countsPadding: Bool) {
        let first = max(start, 0)
        pixels = first..<max(first, min(start + size, count))
        divisor = countsPadding ? min(start + size, count + paddingAfter) - start : pixels.count
    }
}

extension AveragePoolingTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(size >= 1 && stride >= 1 && padding >= 0 && 2 * padding <= size)
        assert(padding...max(padding, size - 1) ~= trailingPadding)
        assert(0...padding ~= topPadding && 0...trailingPadding ~= bottomPadding)
        assert(input.channels == output.channels, "input and output differ in channels")
        let room = input.width + padding + trailingPadding - size
        assert(
            output.width == room / stride + 1 || output.width == divideRoundingUp(room, stride) + 1,
            "the output is not as wide as the windows give")
        assert(!rows(of: output.height - 1).pixels.isEmpty, "the last windows hold no row of the input")
        assert(!columns(of: output.width - 1).pixels.isEmpty, "the last windows hold no column of the input")
    }
}
