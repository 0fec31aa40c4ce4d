// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Brings the taps of each channel together: `out[channel * area + tap] = sums[tap * channels + channel]`.
    @inline(never)
    package static func orderTaps(
        _ sums: UnsafePointer<Float>, channels: Int, area: Int, out: UnsafeMutablePointer<Float>
    ) {
        var channel = 0
        // Eight channels and eight taps at a time: those of windows of 3 x 3 but for one.
        while area == 9 && channel &+ 8 <= channels {
            let square = TransposedSquare(sums + channel, stride: channels)
            for lane in 0..<8 { storeEight(square.column(lane), out + (channel &+ lane) &* 9) }
            let last = sums + (8 &* channels &+ channel)
            for lane in 0..<8 { out[(channel &+ lane) &* 9 &+ 8] = last[lane] }
            channel &+= 8
        }
        while channel < channels {
            for tap in 0..<area { out[channel &* area &+ tap] = sums[tap &* channels &+ channel] }
            channel &+= 1
        }
    }

    /// Writes gradients times a factor, or adds them to the values in memory, and returns the sum of their products
    /// with weights, before the factor.
    ///
    /// - Parameters:
    ///   - out: Nil if they are not wanted.
    ///   - weights: Nil if the sum is not wanted.
    @inline(never)
    package static func finishGradient(
        _ gradients: UnsafePointer<Float>, count: Int, factor: Float, accumulates: Bool,
        out: UnsafeMutablePointer<Float>?, weights: UnsafePointer<Float>?
    ) -> Double {
        if let out { scale(gradients, count, factor, accumulates, out) }
        guard let weights else { return 0 }
        return dotProduct(gradients, weights, count)
    }
}

@inline(__always)
private func scale(
    _ gradients: UnsafePointer<Float>, _ count: Int, _ factor: Float, _ accumulates: Bool,
    _ out: UnsafeMutablePointer<Float>
) {
    let factors = SIMD8<Float>(repeating: factor)
    var index = 0
    while index &+ 8 <= count {
        var values = loadEight(gradients + index) * factors
        if accumulates { values += loadEight(out + index) }
        storeEight(values, out + index)
        index &+= 8
    }
    while index < count {
        let value = gradients[index] * factor
        out[index] = accumulates ? out[index] + value : value
        index &+= 1
    }
}

/// Sums in Double: terms of both signs cancel.
@inline(__always)
private func dotProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
    var (first, second) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
    var index = 0
    while index &+ 16 <= count {
        first.addProduct(SIMD8<Double>(loadEight(a + index)), SIMD8<Double>(loadEight(b + index)))
        second.addProduct(SIMD8<Double>(loadEight(a + (index &+ 8))), SIMD8<Double>(loadEight(b + (index &+ 8))))
        index &+= 16
    }
    var sum = (first + second).sum()
    while index < count {
        sum += Double(a[index]) * Double(b[index])
        index &+= 1
    }
    return sum
}
