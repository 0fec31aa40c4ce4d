// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Filters each channel of one image with a binomial filter, the outer product of a row of Pascal's triangle with itself,
/// normalised. The image is padded by reflection without its edge: index -1 is pixel 1. timm's `BlurPool2d` defines it,
/// after Zhang 2019 (arXiv:1904.11486).
package struct BlurTask: KernelTask {
    package let size: Int
    package let stride: Int
    /// Pixels on all four sides, fewer than the height and the width of the input. timm's is `(stride + size - 2) / 2`.
    package let padding: Int
    /// A whole image. Its border is not read.
    package let input: Activation
    /// `(width + 2 * padding - size) / stride + 1` wide, and as high as the same formula gives. Only its pixels are
    /// written.
    package let output: Activation

    package init(size: Int, stride: Int, padding: Int, input: Activation, output: Activation) {
        self.size = size
        self.stride = stride
        self.padding = padding
        self.input = input
        self.output = output
    }

    /// The input row of an element of the windows of an output row.
    func row(of outputRow: Int, element: Int) -> Int {
        reflect(outputRow * stride - padding + element, count: input.height)
    }

    /// The input column of an element of the windows of an output column.
    func column(of outputColumn: Int, element: Int) -> Int {
        reflect(outputColumn * stride - padding + element, count: input.width)
    }

    private func reflect(_ index: Int, count: Int) -> Int {
        let inside = abs(index)
        return inside < count ? inside : 2 * (count - 1) - inside
    }

    /// Calls `body` with each element of a row of the filter and its weight, in order: binomial coefficients over their
    /// sum, exact in Double up to `largestSize` elements.
    @inline(__always)
    func forEachWeight(_ body: (_ element: Int, _ weight: Double) -> Void) {
        var weight = 1.0
        for _ in 1..<size { weight /= 2 }
        for element in 0..<size {
            body(element, weight)
            weight = weight * Double(size - 1 - element) / Double(element + 1)
        }
    }

    /// Up to this size, all binomial coefficients are exact in Double.
    private static let largestSize = 50
}

extension BlurTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(1...BlurTask.largestSize ~= size && stride >= 1)
        assert(0..<min(input.height, input.width) ~= padding, "the padding reflects more than the image has")
        let height = (input.height + 2 * padding - size) / stride + 1
        let width = (input.width + 2 * padding - size) / stride + 1
        assert(min(input.height, input.width) + 2 * padding >= size, "the window is larger than the padded image")
        assert(output.hasSize(height, width, input.channels), "the output does not have the size that the windows give")
    }
}
