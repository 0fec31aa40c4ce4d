// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// One row of a binomial filter of 3 x 3 pixels at stride 1 or 2, with one pixel of padding by reflection.
    ///
    /// `row0` to `row2` are pixel 0 of the rows of the windows, `width` is at least 2, and `channels` is a multiple of the
    /// floats of a vector.
    @inline(never)
    package static func blurRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, row2: UnsafePointer<Float>, width: Int, channels: Int,
        stride: Int, out: UnsafeMutablePointer<Float>, outputWidth: Int
    ) {
        for column in 0..<outputWidth {
            let middle = column &* stride
            // Reflected where the window leaves the row.
            let left = middle > 0 ? middle &- 1 : 1
            let right = middle &+ 1 < width ? middle &+ 1 : width &- 2
            var channel = 0
            while channel < channels {
                let a = left &* channels &+ channel
                let b = middle &* channels &+ channel
                let c = right &* channels &+ channel
                var sum = load(row0 + a) * 0.0625
                sum = addProduct(sum, 0.125, load(row0 + b))
                sum = addProduct(sum, 0.0625, load(row0 + c))
                sum = addProduct(sum, 0.125, load(row1 + a))
                sum = addProduct(sum, 0.25, load(row1 + b))
                sum = addProduct(sum, 0.125, load(row1 + c))
                sum = addProduct(sum, 0.0625, load(row2 + a))
                sum = addProduct(sum, 0.125, load(row2 + b))
                sum = addProduct(sum, 0.0625, load(row2 + c))
                store(sum, out + (column &* channels &+ channel))
                channel &+= lanes
            }
        }
    }
}
