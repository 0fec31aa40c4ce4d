// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// The gradient of weights by F(4 x 4, 3 x 3), whose output is linear in the weights: `y = A' [(G g G') * (B' d B)] A` gives
// `dg = G' [sum over tiles of (A dy A') * (B' d B)] G`. Points and input transform are those of the forward pass.

extension Leaves {
    /// Transforms the output gradients of a whole tile, 4 x 4 pixels of a panel's channels, to its points:
    /// `out[point * pointStride + channel]`.
    ///
    /// - Parameter scratch: Room for `6 * 4 * lanes` floats.
    @inline(never)
    package static func winogradGradient(
        _ gradients: UnsafePointer<Float>, rowStride: Int, pixelStride: Int, out: UnsafeMutablePointer<Float>,
        pointStride: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        for half in 0..<2 {
            let first = half &* lanes
            for column in 0..<4 {
                gradientLine(
                    gradients + (column &* pixelStride &+ first), rowStride, scratch + column &* lanes, 4 &* lanes)
            }
            for row in 0..<6 {
                gradientLine(
                    scratch + row &* 4 &* lanes, lanes, out + (row &* 6 &* pointStride &+ first), pointStride)
            }
        }
    }

    /// Transforms sums of products at the points, `sums[point * pointStride + column]` with a panel's columns, to the nine weights
    /// `out[tap * tapStride + column]`, or adds these to the values in memory.
    ///
    /// - Parameter scratch: Room for `3 * 6 * lanes` floats.
    @inline(never)
    package static func winogradWeightGradient(
        _ sums: UnsafePointer<Float>, pointStride: Int, out: UnsafeMutablePointer<Float>, tapStride: Int, isFirst: Bool,
        scratch: UnsafeMutablePointer<Float>
    ) {
        for half in 0..<2 {
            let first = half &* lanes
            for column in 0..<6 {
                let taps = tapLine(sums + (column &* pointStride &+ first), 6 &* pointStride)
                for row in 0..<3 { store(taps[row], scratch + (row &* 6 &+ column) &* lanes) }
            }
            for row in 0..<3 {
                let taps = tapLine(scratch + row &* 6 &* lanes, lanes)
                for column in 0..<3 {
                    let place = out + ((row &* 3 &+ column) &* tapStride &+ first)
                    store(isFirst ? taps[column] : load(place) + taps[column], place)
                }
            }
        }
    }
}

/// The values at the points of the polynomial whose coefficients are four gradients.
@inline(__always)
private func gradientLine(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    store(d0, out)
    let evenP = addProduct(d0, p4 * p4, d2)
    let oddP = Vector(repeating: p4) * addProduct(d1, p4 * p4, d3)
    store(evenP + oddP, out + outStep)
    store(evenP - oddP, out + 2 * outStep)
    let evenQ = addProduct(d0, q4 * q4, d2)
    let oddQ = Vector(repeating: q4) * addProduct(d1, q4 * q4, d3)
    store(evenQ + oddQ, out + 3 * outStep)
    store(evenQ - oddQ, out + 4 * outStep)
    store(d3, out + 5 * outStep)
}

/// The transform of `weightLine` on three weights, transposed.
@inline(__always)
private func tapLine(_ source: UnsafePointer<Float>, _ step: Int) -> InlineArray<3, Vector> {
    let p = load(source + step)
    let pMinus = load(source + 2 * step)
    let q = load(source + 3 * step)
    let qMinus = load(source + 4 * step)
    let evenP = Vector(repeating: 1 / divisorP) * (p + pMinus)
    let oddP = Vector(repeating: p4 / divisorP) * (p - pMinus)
    let evenQ = Vector(repeating: 1 / divisorQ) * (q + qMinus)
    let oddQ = Vector(repeating: q4 / divisorQ) * (q - qMinus)
    let zero = Vector(repeating: 1 / (p4 * p4 * q4 * q4))
    return [
        addProduct(evenP + evenQ, zero, load(source)),
        oddP + oddQ,
        addProduct(addProduct(load(source + 5 * step), p4 * p4, evenP), q4 * q4, evenQ),
    ]
}

@inline(__always)
private var divisorP: Float { 2 * p4 * p4 * (p4 * p4 - q4 * q4) }

@inline(__always)
private var divisorQ: Float { 2 * q4 * q4 * (q4 * q4 - p4 * p4) }
