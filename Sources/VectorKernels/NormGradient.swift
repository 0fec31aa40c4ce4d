// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Masks a row of gradients and adds it, and its products with the deviations of the input from the mean, to a sum for
    /// each channel.
    @inline(never)
    package static func normGradientSums(
        _ row: shims_norm_gradient, sums: UnsafeMutablePointer<Double>, productSums: UnsafeMutablePointer<Double>
    ) {
        if row.result != nil {
            if row.input != nil { maskedProducts(row, sums, productSums) } else { maskedSums(row, sums) }
        } else {
            if row.input != nil { plainProducts(row, sums, productSums) } else { plainGradientSums(row, sums) }
        }
    }

    /// `out = scale * gradient + (shift + slope * (input - mean))` for each channel of some pixels. `channels` is a multiple of the
    /// lanes of a vector.
    @inline(never)
    package static func normGradient(
        _ gradient: UnsafePointer<Float>, input: UnsafePointer<Float>, scale: UnsafePointer<Float>,
        shift: UnsafePointer<Float>, slope: UnsafePointer<Float>, mean: UnsafePointer<Float>, channels: Int,
        pixels: Int, out: UnsafeMutablePointer<Float>
    ) {
        var offset = 0
        for _ in 0..<pixels {
            var channel = 0
            while channel < channels {
                let deviation = load(input + offset) - load(mean + channel)
                let rest = addProduct(load(shift + channel), load(slope + channel), deviation)
                store(addProduct(rest, load(scale + channel), load(gradient + offset)), out + offset)
                channel &+= lanes
                offset &+= lanes
            }
        }
    }
}

// One function for each combination, so that the loops do not ask.

@inline(never)
package func maskedProducts(
    _ row: shims_norm_gradient, _ sums: UnsafeMutablePointer<Double>, _ productSums: UnsafeMutablePointer<Double>
) {
    compute(row, row.result, row.input, sums, productSums)
}

@inline(never)
package func maskedSums(_ row: shims_norm_gradient, _ sums: UnsafeMutablePointer<Double>) {
    compute(row, row.result, nil, sums, sums)
}

@inline(never)
package func plainProducts(
    _ row: shims_norm_gradient, _ sums: UnsafeMutablePointer<Double>, _ productSums: UnsafeMutablePointer<Double>
) {
    compute(row, nil, row.input, sums, productSums)
}

@inline(never)
package func plainGradientSums(_ row: shims_norm_gradient, _ sums: UnsafeMutablePointer<Double>) {
    compute(row, nil, nil, sums, sums)
}

/// Sixteen channels at a time: a cache line of each pixel.
@inline(__always)
private func compute(
    _ row: shims_norm_gradient, _ result: UnsafePointer<Float>?, _ input: UnsafePointer<Float>?,
    _ sums: UnsafeMutablePointer<Double>, _ productSums: UnsafeMutablePointer<Double>
) {
    var channel = 0
    while channel &+ 16 <= row.channels {
        var (sum0, sum1) = (load(sums + channel), load(sums + channel + 8))
        var (product0, product1) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        if input != nil { (product0, product1) = (load(productSums + channel), load(productSums + channel + 8)) }
        var offset = channel
        for _ in 0..<row.pixels {
            add(row, result, input, offset, channel, &sum0, &product0)
            add(row, result, input, offset &+ 8, channel &+ 8, &sum1, &product1)
            offset &+= row.channels
        }
        store(sum0, sums + channel)
        store(sum1, sums + channel + 8)
        if input != nil {
            store(product0, productSums + channel)
            store(product1, productSums + channel + 8)
        }
        channel &+= 16
    }
    while channel < row.channels {
        var sum = load(sums + channel)
        var product = SIMD8<Double>.zero
        if input != nil { product = load(productSums + channel) }
        var offset = channel
        for _ in 0..<row.pixels {
            add(row, result, input, offset, channel, &sum, &product)
            offset &+= row.channels
        }
        store(sum, sums + channel)
        if input != nil { store(product, productSums + channel) }
        channel &+= 8
    }
}

@inline(__always)
private func add(
    _ row: shims_norm_gradient, _ result: UnsafePointer<Float>?, _ input: UnsafePointer<Float>?, _ offset: Int,
    _ channel: Int, _ sum: inout SIMD8<Double>, _ product: inout SIMD8<Double>
) {
    var gradient = loadEight(row.gradient.unsafelyUnwrapped + offset)
    if let result {
        gradient.replace(with: SIMD8<Float>.zero, where: loadEight(result + offset) .<= SIMD8<Float>.zero)
        storeEight(gradient, row.masked.unsafelyUnwrapped + offset)
    }
    let wide = SIMD8<Double>(gradient)
    sum += wide
    if let input {
        let deviation = SIMD8<Double>(loadEight(input + offset)) - load(row.mean.unsafelyUnwrapped + channel)
        product = product.addingProduct(wide, deviation)
    }
}
