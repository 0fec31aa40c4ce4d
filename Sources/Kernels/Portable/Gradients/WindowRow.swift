// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Windows along one side of an image: of `size` pixels, `stride` apart, the first one `padding` pixels before the image.
struct WindowRow {
    let size: Int
    let stride: Int
    let padding: Int
    let count: Int

    /// The windows that hold a pixel. Of two pixels, the later one's range starts and ends no earlier.
    func windows(holding pixel: Int) -> Range<Int> {
        let first = min(divideRoundingUp(max(pixel + padding - size + 1, 0), stride), count)
        let last = min((pixel + padding) / stride, count - 1)
        return first..<max(first, last + 1)
    }

    /// The windows that hold some of a range of pixels.
    func windows(holding pixels: Range<Int>) -> Range<Int> {
        let first = windows(holding: pixels.lowerBound).lowerBound
        return first..<max(first, windows(holding: pixels.upperBound - 1).upperBound)
    }
}
