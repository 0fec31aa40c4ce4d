// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The two-dimensional transforms of F(m x m, 3 x 3): lines in one direction, then in the other. `scratch` holds the lines
// in between, (m + 2)^2 vectors of eight floats or doubles.

/// Transforms the weights of one input channel for sixteen output channels, each multiplied by its scale first:
/// `out[point * pointStride + o]`, all in Double and rounded once at the end.
///
/// - Parameters:
///   - m: 2, 4 or 6.
///   - weights: The 3 x 3 weights of the first output channel; those of the next are `outputStride` floats on.
///   - scale: 16 factors.
@inline(never)
package func winogradWeights(
    m: Int, weights: UnsafePointer<Float>, outputStride: Int, scale: UnsafePointer<Double>,
    out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Double>
) {
    switch m {
    case 2: transformWeights(2, weights, outputStride, scale, out, pointStride, scratch)
    case 4: transformWeights(4, weights, outputStride, scale, out, pointStride, scratch)
    default: transformWeights(6, weights, outputStride, scale, out, pointStride, scratch)
    }
}

@inline(__always)
private func transformWeights(
    _ m: Int, _ weights: UnsafePointer<Float>, _ outputStride: Int, _ scale: UnsafePointer<Double>,
    _ out: UnsafeMutablePointer<Float>, _ pointStride: Int, _ scratch: UnsafeMutablePointer<Double>
) {
    let points = m + 2
    let scaled = scratch + 8 * points * points
    let lines = scaled + 8 * 9
    for half in 0..<2 {
        for lane in 0..<8 {
            let output = half &* 8 &+ lane
            let source = weights + output &* outputStride
            for position in 0..<9 { scaled[position &* 8 &+ lane] = Double(source[position]) * scale[output] }
        }
        for column in 0..<3 { weightLine(m, scaled + column &* 8, 24, lines + column &* 8, 24) }
        for row in 0..<points {
            let line = scratch + row &* points &* 8
            weightLine(m, lines + row &* 24, 8, line, 8)
            for column in 0..<points {
                let values = UnsafeRawPointer(line + column &* 8).loadUnaligned(as: SIMD8<Double>.self)
                let point = row &* points &+ column
                let offset = point &* pointStride &+ half &* 8
                store(Vector(values), out + offset)
            }
        }
    }
}

/// Transforms a square of `(m + 2) x (m + 2)` input pixels: `out[point * pointStride + channel]`.
///
/// - Parameters:
///   - m: 2, 4 or 6.
///   - channels: A multiple of 8.
@inline(never)
package func winogradInput(
    m: Int, source: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, channels: Int,
    out: UnsafeMutablePointer<Float>, pointStride: Int, scratch: UnsafeMutablePointer<Float>
) {
    switch m {
    case 2: transformInput(2, source, rowStride, pixelStride, channels, out, pointStride, scratch)
    case 4: transformInput(4, source, rowStride, pixelStride, channels, out, pointStride, scratch)
    default: transformInput(6, source, rowStride, pixelStride, channels, out, pointStride, scratch)
    }
}

@inline(__always)
private func transformInput(
    _ m: Int, _ source: UnsafePointer<Float>, _ rowStride: Int, _ pixelStride: Int, _ channels: Int,
    _ out: UnsafeMutablePointer<Float>, _ pointStride: Int, _ scratch: UnsafeMutablePointer<Float>
) {
    let points = m + 2
    var channel = 0
    while channel < channels {
        for column in 0..<points {
            inputLine(
                m, source + (column &* pixelStride &+ channel), rowStride, scratch + column &* 8, points &* 8)
        }
        for row in 0..<points {
            inputLine(
                m, scratch + row &* points &* 8, 8, out + (row &* points &* pointStride &+ channel), pointStride)
        }
        channel &+= 8
    }
}

/// Transforms the products of sixteen output channels, `products[point * pointStride + c]`, into output pixels, to which
/// bias and residual are added and the ReLU applied.
///
/// - Parameter m: 2, 4 or 6.
@inline(never)
package func winogradOutput(
    m: Int, products: UnsafePointer<Float>, pointStride: Int, _ target: shims_winograd_output,
    scratch: UnsafeMutablePointer<Float>
) {
    switch m {
    case 2: transformOutput(2, products, pointStride, target, scratch)
    case 4: transformOutput(4, products, pointStride, target, scratch)
    default: transformOutput(6, products, pointStride, target, scratch)
    }
}

@inline(__always)
private func transformOutput(
    _ m: Int, _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let points = m + 2
    let floor = Vector(repeating: target.is_relu ? 0 : -.infinity)
    for half in 0..<2 {
        let lane = half &* 8
        let bias = load(target.bias.unsafelyUnwrapped + lane)
        for column in 0..<points {
            outputLine(
                m, products + (column &* pointStride &+ lane), points &* pointStride, scratch + column &* 8,
                points &* 8)
        }
        for row in 0..<target.rows {
            let line = scratch + row &* points &* 8
            // In place: what is written stands before all that is still to be read.
            outputLine(m, line, 8, line, 8)
            let out = target.output.unsafelyUnwrapped + (row &* target.output_row &+ lane)
            for column in 0..<target.columns {
                var value = load(line + column &* 8) + bias
                if let residual = target.residual {
                    let offset = row &* target.residual_row &+ column &* target.residual_pixel &+ lane
                    value += load(residual + offset)
                }
                store(rectified(value, floor), out + column &* target.output_pixel)
            }
        }
    }
}
