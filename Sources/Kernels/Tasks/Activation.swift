// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A view of the activations of an image, or of the first of several at equal distances: `height` x `width`
/// pixels of `channels` floats, channels last (NHWC), inside a border of `border` zero pixels on all four sides, so that a
/// padded convolution reads its windows without a test. A view of some of an image's rows has the rows around them
/// instead of zeros.
///
/// It owns nothing. Its memory is one block of `(height + 2 * border) * (width + 2 * border) * channels`
/// floats; `origin` is the first channel of pixel (0, 0), inside the border.
package struct Activation: BitwiseCopyable {
    package let origin: UnsafeMutablePointer<Float>
    package let height: Int
    package let width: Int
    package let channels: Int
    package let border: Int
    /// Floats from one image to the next.
    package let imageStride: Int

    /// Floats from one row to the next.
    package var rowStride: Int { (width + 2 * border) * channels }

    /// The view of a block of memory that starts at `block`, border included.
    package init(
        block: UnsafeMutablePointer<Float>, height: Int, width: Int, channels: Int, border: Int, imageStride: Int = 0
    ) {
        self.init(
            origin: block + (border * (width + 2 * border) + border) * channels, height: height, width: width,
            channels: channels, border: border, imageStride: imageStride)
    }

    /// The view of which `origin` is the first channel of pixel (0, 0).
    package init(
        origin: UnsafeMutablePointer<Float>, height: Int, width: Int, channels: Int, border: Int, imageStride: Int = 0
    ) {
        self.origin = origin
        self.height = height
        self.width = width
        self.channels = channels
        self.border = border
        self.imageStride = imageStride
    }

    /// The first channel of a pixel; rows and columns from `-border` on.
    package func pixel(row: Int, column: Int) -> UnsafeMutablePointer<Float> {
        origin + (row * rowStride + column * channels)
    }

    /// The first channel of a pixel of one of several images.
    package func pixel(image: Int, row: Int, column: Int) -> UnsafeMutablePointer<Float> {
        pixel(row: row, column: column) + image * imageStride
    }

    /// Whether it has the size of another one, whatever their borders.
    func hasSize(of other: Activation) -> Bool { hasSize(other.height, other.width, other.channels) }

    func hasSize(_ height: Int, _ width: Int, _ channels: Int) -> Bool {
        self.height == height && self.width == width && self.channels == channels
    }

    /// Asserts what every task relies on: at least one pixel, alignment, and separate memory for each image.
    func assertContract(imageCount: Int = 1) {
        assert(height >= 1 && width >= 1 && channels >= 1 && border >= 0, "an activation is empty")
        assert(Int(bitPattern: origin) % MemoryLayout<Float>.alignment == 0, "an activation is not aligned")
        assert(imageCount == 1 || imageStride >= height * rowStride, "images overlap")
    }

    /// One of several images by itself.
    package func image(_ index: Int) -> Activation {
        Activation(
            block: pixel(image: index, row: -border, column: -border), height: height, width: width, channels: channels,
            border: border, imageStride: imageStride)
    }
}
