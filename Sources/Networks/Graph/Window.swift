// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The square windows of a convolution or a pooling: their geometry on an image, the same in both directions.
package struct Window: BitwiseCopyable, Equatable, Sendable {
    package let size: Int
    package let stride: Int
    /// Pixels around the image: above and on the left, and on the other sides unless `trailingPadding` says otherwise.
    package let padding: Int
    /// Pixels below and on the right.
    package let trailingPadding: Int
    /// Pixels from one element of a window to the next.
    package let dilation: Int
    /// Whether a last window may reach beyond the padding, as with PyTorch's `ceil_mode`.
    package let roundsUp: Bool
    /// Whether the padding mirrors the image, which then must be larger than it, as with PyTorch's `ReflectionPad2d`.
    package let reflects: Bool

    package init(
        size: Int, stride: Int = 1, padding: Int = 0, trailingPadding: Int? = nil, dilation: Int = 1,
        roundsUp: Bool = false, reflects: Bool = false
    ) {
        self.size = size
        self.stride = stride
        self.padding = padding
        self.trailingPadding = trailingPadding ?? padding
        self.dilation = dilation
        self.roundsUp = roundsUp
        self.reflects = reflects
    }

    /// The whole of an image of any size.
    package static var whole: Window { Window(size: 1, stride: 1 << 62) }

    /// Pixels from the first to the last element of a window, both included.
    package var extent: Int { dilation * (size - 1) + 1 }

    /// The number of windows on a side of `inputSize` pixels: `floor((inputSize + 2 * padding - extent) / stride) + 1`;
    /// with `roundsUp` the ceiling, without a window that begins after the image, as in PyTorch's pooling. 0 if not
    /// even one fits.
    package func outputSize(_ inputSize: Int) -> Int {
        if reflects && padding >= inputSize { return 0 }
        let room = inputSize + padding + trailingPadding - extent
        guard roundsUp else { return room < 0 ? 0 : room / stride + 1 }
        let count = (room + stride - 1) / stride + 1
        return (count - 1) * stride >= inputSize + padding ? count - 1 : count
    }

    /// Whether an image of any size keeps its size.
    package var keepsSize: Bool { stride == 1 && padding + trailingPadding == extent - 1 }
}
