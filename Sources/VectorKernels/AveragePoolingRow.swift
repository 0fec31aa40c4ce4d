// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// One row of averages over windows of 2 x 2 pixels at stride 2, none of them clipped. `row0` and `row1` are the first
    /// pixels of the first window; `channels` is a multiple of the floats of a vector.
    @inline(never)
    package static func averagePoolingRow(
        row0: UnsafePointer<Float>, row1: UnsafePointer<Float>, channels: Int, out: UnsafeMutablePointer<Float>,
        outputWidth: Int
    ) {
        var (upper, lower, to) = (row0, row1, out)
        for _ in 0..<outputWidth {
            var channel = 0
            while channel < channels {
                var sum = load(upper + channel) + load(upper + channels + channel)
                sum += load(lower + channel)
                sum += load(lower + channels + channel)
                store(sum * 0.25, to + channel)
                channel &+= lanes
            }
            upper += 2 &* channels
            lower += 2 &* channels
            to += channels
        }
    }
}
