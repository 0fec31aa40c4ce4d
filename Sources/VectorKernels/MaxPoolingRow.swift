// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// One row of max pooling over windows of 3 x 3 pixels at stride 2 and padding 1: windows are clipped to the row, and one
    /// that holds a NaN gives NaN.
    ///
    /// `row0` to `row2` are pixel 0 of the rows of the windows; for a row outside of the image callers pass another one
    /// of them, which does not change a maximum. `channels` is a multiple of 8.
    @inline(never)
    package static func maxPoolingRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, row2: UnsafePointer<Float>, width: Int, channels: Int,
        out: UnsafeMutablePointer<Float>, outputWidth: Int
    ) {
        var channel = 0
        while channel < channels {
            // The last column of a window is the first one of the next. Beyond the edges a neighbour is taken twice.
            var last = maximum(row0, row1, row2, channel)
            var to = out + channel
            for column in 0..<outputWidth {
                let middle = channel &+ 2 &* column &* channels
                let right = 2 &* column &+ 1 < width ? middle &+ channels : middle
                let first = maximum(last, maximum(row0, row1, row2, middle))
                last = maximum(row0, row1, row2, right)
                storeEight(maximum(first, last), to)
                to += channels
            }
            channel &+= 8
        }
    }
}

@inline(__always)
private func maximum(
    _ row0: UnsafePointer<Float>, _ row1: UnsafePointer<Float>, _ row2: UnsafePointer<Float>, _ offset: Int
) -> SIMD8<Float> {
    maximum(maximum(loadEight(row0 + offset), loadEight(row1 + offset)), loadEight(row2 + offset))
}

/// A NaN is greater than nothing, and unequal to itself.
@inline(__always)
private func maximum(_ a: SIMD8<Float>, _ b: SIMD8<Float>) -> SIMD8<Float> {
    a.replacing(with: b, where: (b .> a) .| (b .!= b))
}
