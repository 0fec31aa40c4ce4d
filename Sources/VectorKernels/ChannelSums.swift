// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Adds pixels that are `stride` floats apart to a sum for each channel. `channels` is a multiple of 8.
    @inline(never)
    package static func addPixels(
        _ pixels: UnsafePointer<Float>, count: Int, stride: Int, channels: Int, sums: UnsafeMutablePointer<Double>
    ) {
        addTerms(pixels, count, stride, channels, means: nil, sums)
    }

    /// The same with the squares of their differences from a mean for each channel.
    @inline(never)
    package static func addSquaredDeviations(
        _ pixels: UnsafePointer<Float>, count: Int, stride: Int, channels: Int, means: UnsafePointer<Double>,
        sums: UnsafeMutablePointer<Double>
    ) {
        addTerms(pixels, count, stride, channels, means: means, sums)
    }

    /// Adds the differences of consecutive pixels from an origin for each channel, and their squares, to sums. `channels` is a
    /// multiple of 8.
    @inline(never)
    package static func addDeviations(
        _ pixels: UnsafePointer<Float>, count: Int, channels: Int, origins: UnsafePointer<Double>,
        sums: UnsafeMutablePointer<Double>, squares: UnsafeMutablePointer<Double>
    ) {
        var channel = 0
        while channel &+ 16 <= channels {
            addDeviations16(
                pixels + channel, count, channels, origins + channel, sums + channel, squares + channel)
            channel &+= 16
        }
        if channel < channels {
            addDeviations8(pixels + channel, count, channels, origins + channel, sums + channel, squares + channel)
        }
    }
}

// Functions of their own: in one, conversions to Double would no longer be inlined, and become symbols that instruction sets
// share.

@inline(never)
package func addDeviations16(
    _ pixels: UnsafePointer<Float>, _ count: Int, _ stride: Int, _ origins: UnsafePointer<Double>,
    _ sums: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
) {
    let (origin0, origin1) = (load(origins), load(origins + 8))
    var (sum0, sum1) = (load(sums), load(sums + 8))
    var (square0, square1) = (load(squares), load(squares + 8))
    var pixel = pixels
    for _ in 0..<count {
        let deviations0 = SIMD8<Double>(loadEight(pixel)) - origin0
        let deviations1 = SIMD8<Double>(loadEight(pixel + 8)) - origin1
        sum0 += deviations0
        sum1 += deviations1
        square0 = square0.addingProduct(deviations0, deviations0)
        square1 = square1.addingProduct(deviations1, deviations1)
        pixel += stride
    }
    store(sum0, sums)
    store(sum1, sums + 8)
    store(square0, squares)
    store(square1, squares + 8)
}

@inline(never)
package func addDeviations8(
    _ pixels: UnsafePointer<Float>, _ count: Int, _ stride: Int, _ origins: UnsafePointer<Double>,
    _ sums: UnsafeMutablePointer<Double>, _ squares: UnsafeMutablePointer<Double>
) {
    let origin = load(origins)
    var (sum, square) = (load(sums), load(squares))
    var pixel = pixels
    for _ in 0..<count {
        let deviations = SIMD8<Double>(loadEight(pixel)) - origin
        sum += deviations
        square = square.addingProduct(deviations, deviations)
        pixel += stride
    }
    store(sum, sums)
    store(square, squares)
}

/// Adds the values, or the squares of their differences from means, in groups of 32 channels: two cache lines, and as
/// many sums as fit into registers.
@inline(__always)
private func addTerms(
    _ pixels: UnsafePointer<Float>, _ count: Int, _ stride: Int, _ channels: Int, means: UnsafePointer<Double>?,
    _ sums: UnsafeMutablePointer<Double>
) {
    var channel = 0
    while channel &+ 32 <= channels {
        var (sum0, sum1) = (load(sums + channel), load(sums + channel + 8))
        var (sum2, sum3) = (load(sums + channel + 16), load(sums + channel + 24))
        var pixel = pixels + channel
        for _ in 0..<count {
            addTerms(&sum0, pixel, channel, means)
            addTerms(&sum1, pixel + 8, channel &+ 8, means)
            addTerms(&sum2, pixel + 16, channel &+ 16, means)
            addTerms(&sum3, pixel + 24, channel &+ 24, means)
            pixel += stride
        }
        store(sum0, sums + channel)
        store(sum1, sums + channel + 8)
        store(sum2, sums + channel + 16)
        store(sum3, sums + channel + 24)
        channel &+= 32
    }
    while channel < channels {
        var sum = load(sums + channel)
        var pixel = pixels + channel
        for _ in 0..<count {
            addTerms(&sum, pixel, channel, means)
            pixel += stride
        }
        store(sum, sums + channel)
        channel &+= 8
    }
}

@inline(__always)
private func addTerms(
    _ sum: inout SIMD8<Double>, _ floats: UnsafePointer<Float>, _ channel: Int, _ means: UnsafePointer<Double>?
) {
    let values = SIMD8<Double>(loadEight(floats))
    if let means {
        let deviations = values - load(means + channel)
        sum = sum.addingProduct(deviations, deviations)
    } else {
        sum += values
    }
}
