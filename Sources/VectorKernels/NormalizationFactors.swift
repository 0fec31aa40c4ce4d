// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Factor and addend of each channel of a BatchNorm with given statistics: `scale = weight / sqrt(variance +
    /// epsilon)` and `shift = bias - mean * scale`, computed in Double and rounded once. `channels` is a multiple of 8.
    @inline(never)
    package static func normalizationFactors(
        mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, epsilon: Double, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, channels: Int, scale: UnsafeMutablePointer<Float>,
        shift: UnsafeMutablePointer<Float>
    ) {
        var channel = 0
        while channel < channels {
            let deviation = shims_square_roots(load(variance + channel) + epsilon)
            let factor = SIMD8<Double>(loadEight(weight + channel)) / deviation
            storeEight(factor, scale + channel)
            storeEight(SIMD8<Double>(loadEight(bias + channel)) - load(mean + channel) * factor, shift + channel)
            channel &+= 8
        }
    }
}
