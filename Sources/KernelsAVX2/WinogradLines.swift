// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The one-dimensional transforms of Winograd's minimal filtering F(m, 3), by the method of Cook and Toom: two polynomials
// are evaluated at m + 2 points, their values multiplied, and the product is interpolated (Lavin and Gray 2016,
// arXiv:1509.09308; Barabasz et al. 2020, arXiv:1803.10986, on the choice of points). The points here are 0, infinity and
// pairs +p, -p, whose transforms share all but the last addition:
//
//     F(2, 3): 0, ±1, infinity
//     F(4, 3): 0, ±5/8, ±3/2, infinity       a third of the error of ±1, ±2
//     F(6, 3): 0, ±1/2, ±1, ±2, infinity
//
// For the finite points q_0 = 0, q_1, ... with n = m + 1 of them, in exact arithmetic:
//
//     input    row i holds the coefficients of prod over j != i of (x - q_j), the last row those of the whole product
//     weights  (g_0 + g_1 q_i + g_2 q_i^2) / prod over j != i of (q_i - q_j), and g_2 for infinity
//     output   y_k = sum over i of q_i^k m_i, and + m_infinity for k = m - 1
//
// At stride 2 a line is two in one: the first and third weight meet the samples 0, 2, 4, ..., which is F(m, 2) with m + 1
// points, and the second weight alone meets the samples 1, 3, ..., each of which is a point of its own. The points of the
// first kind come first. They are ±1 and infinity for m = 2, ±1/2, ±5/4 and infinity for m = 4; 2 m + 1 of both kinds.

// A line with fewer than m outputs, at the edge of an image, is computed with fewer of the points (which ones says
// `shims_winograd_points`): as F(n, 3) for some n < m. Its weights would have fewer factors in their divisors; since they
// are those of the other lines, the input has the missing ones instead, `q_i - q_j` for each point q_j that is left out.

/// The pairs of F(4, 3); all their products are exact.
private let p4: Float = 0.625
private let q4: Float = 1.5

/// The pairs of F(4, 2), for stride 2.
private let p2: Float = 0.5
private let q2: Float = 1.25

/// One of the forms: F(m x m, 3 x 3) at stride 1 or 2. Always built from literals, so that what another form needs is gone
/// after inlining.
struct WinogradForm {
    let m: Int
    let stride: Int

    @inline(__always)
    init(_ m: Int, stride: Int) {
        self.m = m
        self.stride = stride
    }

    /// Points of a line, as many as samples of the input.
    @inline(__always)
    var side: Int { stride == 1 ? m &+ 2 : 2 &* m &+ 1 }

    /// Samples of the input that `outputs` pixels of a line meet.
    @inline(__always)
    func samples(_ outputs: Int) -> Int { stride == 1 ? outputs &+ 2 : side }

    /// Whether a line of `outputs` pixels has a point.
    @inline(__always)
    func has(_ point: Int, _ outputs: Int) -> Bool {
        shims_winograd_points(m, stride, outputs) & (1 &<< UInt32(truncatingIfNeeded: point)) != 0
    }

    /// Points of a line that have weights of their own.
    @inline(__always)
    var weightSide: Int { m &+ 2 }
}

// MARK: - Input

/// Transforms a line of vectors of channels that lie `step` floats apart, as many as are met by the windows of `outputs`
/// pixels, to the points that these have.
@inline(__always)
func inputLine(
    _ form: WinogradForm, outputs: Int, _ source: UnsafePointer<Float>, _ step: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    switch (form.stride, form.m) {
    case (1, 2):
        if outputs == 1 { inputLine2To1(source, step, out, outStep) } else { inputLine2(source, step, out, outStep) }
    case (1, 4):
        if outputs == 2 { inputLine4To2(source, step, out, outStep) } else { inputLine4(source, step, out, outStep) }
    case (1, _):
        if outputs == 2 {
            inputLine6To2(source, step, out, outStep)
        } else if outputs == 4 {
            inputLine6To4(source, step, out, outStep)
        } else {
            inputLine6(source, step, out, outStep)
        }
    case (_, 2): stridedInputLine2(source, step, out, outStep)
    default: stridedInputLine4(source, step, out, outStep)
    }
}

@inline(__always)
private func inputLine2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    store(d2 - d0, out)
    store(d2 + d1, out + outStep)
    store(d2 - d1, out + 2 * outStep)
    store(d3 - d1, out + 3 * outStep)
}

@inline(__always)
private func inputLine2To1(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    store(d2 - d0, out)
    store(d2 + d1, out + outStep)
    store(d2 - d1, out + 2 * outStep)
}

@inline(__always)
private func inputLine4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    let d4 = load(source + 4 * step)
    let d5 = load(source + 5 * step)
    let pp = Vector(repeating: p4 * p4)
    let qq = Vector(repeating: q4 * q4)
    let sum = Vector(repeating: p4 * p4 + q4 * q4)
    let product = Vector(repeating: p4 * p4 * q4 * q4)
    store(addProduct(subtractProduct(d4, sum, d2), product, d0), out)
    let evenP = subtractProduct(d4, qq, d2)
    let oddP = Vector(repeating: p4) * subtractProduct(d3, qq, d1)
    store(evenP + oddP, out + outStep)
    store(evenP - oddP, out + 2 * outStep)
    let evenQ = subtractProduct(d4, pp, d2)
    let oddQ = Vector(repeating: q4) * subtractProduct(d3, pp, d1)
    store(evenQ + oddQ, out + 3 * outStep)
    store(evenQ - oddQ, out + 4 * outStep)
    store(addProduct(subtractProduct(d5, sum, d3), product, d1), out + 5 * outStep)
}

/// Without the pair ±q.
@inline(__always)
private func inputLine4To2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    let qq = Vector(repeating: q4 * q4)
    let factor = Vector(repeating: p4 * p4 - q4 * q4)
    store(subtractProduct(Vector(repeating: p4 * p4 * q4 * q4) * d0, qq, d2), out)
    let even = factor * d2
    let odd = Vector(repeating: p4) * (factor * d1)
    store(even + odd, out + outStep)
    store(even - odd, out + 2 * outStep)
    store(subtractProduct(d3, p4 * p4, d1), out + 5 * outStep)
}

@inline(__always)
private func inputLine6(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    let d4 = load(source + 4 * step)
    let d5 = load(source + 5 * step)
    let d6 = load(source + 6 * step)
    let d7 = load(source + 7 * step)
    // (x^2 - 1/4)(x^2 - 1)(x^2 - 4) = x^6 - 21/4 x^4 + 21/4 x^2 - 1
    let whole = Vector(repeating: 5.25)
    store(addProduct(d6 - d0, whole, d2 - d4), out)
    // The pair ±1/2 leaves (x^2 - 1)(x^2 - 4) = x^4 - 5 x^2 + 4.
    let evenHalf = addProduct(subtractProduct(d6, 5, d4), 4, d2)
    let oddHalf = addProduct(subtractProduct(d5, 5, d3), 4, d1)
    store(addProduct(evenHalf, 0.5, oddHalf), out + outStep)
    store(subtractProduct(evenHalf, 0.5, oddHalf), out + 2 * outStep)
    // ±1 leaves (x^2 - 1/4)(x^2 - 4) = x^4 - 17/4 x^2 + 1.
    let evenOne = subtractProduct(d6 + d2, 4.25, d4)
    let oddOne = subtractProduct(d5 + d1, 4.25, d3)
    store(evenOne + oddOne, out + 3 * outStep)
    store(evenOne - oddOne, out + 4 * outStep)
    // ±2 leaves (x^2 - 1/4)(x^2 - 1) = x^4 - 5/4 x^2 + 1/4.
    let evenTwo = addProduct(subtractProduct(d6, 1.25, d4), 0.25, d2)
    let oddTwo = addProduct(subtractProduct(d5, 1.25, d3), 0.25, d1)
    store(addProduct(evenTwo, 2, oddTwo), out + 5 * outStep)
    store(subtractProduct(evenTwo, 2, oddTwo), out + 6 * outStep)
    store(addProduct(d7 - d1, whole, d3 - d5), out + 7 * outStep)
}

/// Without the pair ±1.
@inline(__always)
private func inputLine6To4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    let d4 = load(source + 4 * step)
    let d5 = load(source + 5 * step)
    // (x^2 - 1/4)(x^2 - 4) = x^4 - 17/4 x^2 + 1, times 0 - 1
    let whole = Vector(repeating: 4.25)
    store(subtractProduct(whole * d2, 1, d0 + d4), out)
    // The pair ±1/2 leaves x^2 - 4, times 1/4 - 1.
    let evenHalf = subtractProduct(Vector(repeating: 3) * d2, 0.75, d4)
    let oddHalf = subtractProduct(Vector(repeating: 1.5) * d1, 0.375, d3)
    store(evenHalf + oddHalf, out + outStep)
    store(evenHalf - oddHalf, out + 2 * outStep)
    // ±2 leaves x^2 - 1/4, times 4 - 1.
    let evenTwo = subtractProduct(Vector(repeating: 3) * d4, 0.75, d2)
    let oddTwo = subtractProduct(Vector(repeating: 6) * d3, 1.5, d1)
    store(evenTwo + oddTwo, out + 5 * outStep)
    store(evenTwo - oddTwo, out + 6 * outStep)
    store(subtractProduct(d5 + d1, whole, d3), out + 7 * outStep)
}

/// Without the pairs ±1/2 and ±2.
@inline(__always)
private func inputLine6To2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d1 = load(source + step)
    let d2 = load(source + 2 * step)
    let d3 = load(source + 3 * step)
    // x^2 - 1, times (0 - 1/4)(0 - 4)
    store(d2 - d0, out)
    // The pair ±1 leaves 1, times (1 - 1/4)(1 - 4).
    let factor = Vector(repeating: -2.25)
    store(factor * (d2 + d1), out + 3 * outStep)
    store(factor * (d2 - d1), out + 4 * outStep)
    store(d3 - d1, out + 7 * outStep)
}

@inline(__always)
private func stridedInputLine2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d2 = load(source + 2 * step)
    let d4 = load(source + 4 * step)
    store(d2 + d0, out)
    store(d2 - d0, out + outStep)
    store(d4 - d0, out + 2 * outStep)
    store(load(source + step), out + 3 * outStep)
    store(load(source + 3 * step), out + 4 * outStep)
}

@inline(__always)
private func stridedInputLine4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let d0 = load(source)
    let d2 = load(source + 2 * step)
    let d4 = load(source + 4 * step)
    let d6 = load(source + 6 * step)
    let d8 = load(source + 8 * step)
    // The pair ±p leaves (x^2 - q^2), and with it x^3 - q^2 x and x^2 - q^2.
    let oddP = subtractProduct(d6, q2 * q2, d2)
    let evenP = subtractProduct(d4, q2 * q2, d0)
    store(addProduct(oddP, p2, evenP), out)
    store(subtractProduct(oddP, p2, evenP), out + outStep)
    let oddQ = subtractProduct(d6, p2 * p2, d2)
    let evenQ = subtractProduct(d4, p2 * p2, d0)
    store(addProduct(oddQ, q2, evenQ), out + 2 * outStep)
    store(subtractProduct(oddQ, q2, evenQ), out + 3 * outStep)
    store(
        addProduct(subtractProduct(d8, p2 * p2 + q2 * q2, d4), p2 * p2 * q2 * q2, d0), out + 4 * outStep)
    store(load(source + step), out + 5 * outStep)
    store(load(source + 3 * step), out + 6 * outStep)
    store(load(source + 5 * step), out + 7 * outStep)
    store(load(source + 7 * step), out + 8 * outStep)
}

// MARK: - Output

/// Transforms a line of vectors of channels, of which the points are read that a line of `outputs` has, into as many.
@inline(__always)
func outputLine(
    _ form: WinogradForm, outputs: Int, _ source: UnsafePointer<Float>, _ step: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    switch (form.stride, form.m) {
    case (1, 2):
        if outputs == 1 { outputLine2To1(source, step, out) } else { outputLine2(source, step, out, outStep) }
    case (1, 4):
        if outputs == 2 { outputLine4To2(source, step, out, outStep) } else { outputLine4(source, step, out, outStep) }
    case (1, _):
        if outputs == 2 {
            outputLine6To2(source, step, out, outStep)
        } else if outputs == 4 {
            outputLine6To4(source, step, out, outStep)
        } else {
            outputLine6(source, step, out, outStep)
        }
    case (_, 2): stridedOutputLine2(source, step, out, outStep)
    default: stridedOutputLine4(source, step, out, outStep)
    }
}

@inline(__always)
private func outputLine2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let plus = load(source + step)
    let minus = load(source + 2 * step)
    store(load(source) + (plus + minus), out)
    store(load(source + 3 * step) + (plus - minus), out + outStep)
}

@inline(__always)
private func outputLine2To1(_ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>) {
    store(load(source) + (load(source + step) + load(source + 2 * step)), out)
}

@inline(__always)
private func outputLine4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let p = load(source + step)
    let pMinus = load(source + 2 * step)
    let q = load(source + 3 * step)
    let qMinus = load(source + 4 * step)
    let evenP = p + pMinus
    let oddP = p - pMinus
    let evenQ = q + qMinus
    let oddQ = q - qMinus
    store(load(source) + (evenP + evenQ), out)
    store(addProduct(Vector(repeating: p4) * oddP, q4, oddQ), out + outStep)
    store(addProduct(Vector(repeating: p4 * p4) * evenP, q4 * q4, evenQ), out + 2 * outStep)
    store(
        addProduct(addProduct(load(source + 5 * step), p4 * p4 * p4, oddP), q4 * q4 * q4, oddQ), out + 3 * outStep)
}

@inline(__always)
private func outputLine4To2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let p = load(source + step)
    let pMinus = load(source + 2 * step)
    store(load(source) + (p + pMinus), out)
    store(addProduct(load(source + 5 * step), p4, p - pMinus), out + outStep)
}

@inline(__always)
private func outputLine6(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let half = load(source + step)
    let halfMinus = load(source + 2 * step)
    let one = load(source + 3 * step)
    let oneMinus = load(source + 4 * step)
    let two = load(source + 5 * step)
    let twoMinus = load(source + 6 * step)
    let evenHalf = half + halfMinus
    let oddHalf = half - halfMinus
    let evenOne = one + oneMinus
    let oddOne = one - oneMinus
    let evenTwo = two + twoMinus
    let oddTwo = two - twoMinus
    store(load(source) + (evenHalf + evenOne + evenTwo), out)
    store(addProduct(addProduct(oddOne, 0.5, oddHalf), 2, oddTwo), out + outStep)
    store(addProduct(addProduct(evenOne, 0.25, evenHalf), 4, evenTwo), out + 2 * outStep)
    store(addProduct(addProduct(oddOne, 0.125, oddHalf), 8, oddTwo), out + 3 * outStep)
    store(addProduct(addProduct(evenOne, 0.0625, evenHalf), 16, evenTwo), out + 4 * outStep)
    store(
        addProduct(addProduct(load(source + 7 * step) + oddOne, 0.03125, oddHalf), 32, oddTwo), out + 5 * outStep)
}

@inline(__always)
private func outputLine6To4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let half = load(source + step)
    let halfMinus = load(source + 2 * step)
    let two = load(source + 5 * step)
    let twoMinus = load(source + 6 * step)
    let evenHalf = half + halfMinus
    let oddHalf = half - halfMinus
    let evenTwo = two + twoMinus
    let oddTwo = two - twoMinus
    store(load(source) + (evenHalf + evenTwo), out)
    store(addProduct(Vector(repeating: 0.5) * oddHalf, 2, oddTwo), out + outStep)
    store(addProduct(Vector(repeating: 0.25) * evenHalf, 4, evenTwo), out + 2 * outStep)
    store(addProduct(addProduct(load(source + 7 * step), 0.125, oddHalf), 8, oddTwo), out + 3 * outStep)
}

@inline(__always)
private func outputLine6To2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let one = load(source + 3 * step)
    let oneMinus = load(source + 4 * step)
    store(load(source) + (one + oneMinus), out)
    store(load(source + 7 * step) + (one - oneMinus), out + outStep)
}

@inline(__always)
private func stridedOutputLine2(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let one = load(source)
    let oneMinus = load(source + step)
    let infinity = load(source + 2 * step)
    let first = load(source + 3 * step)
    let second = load(source + 4 * step)
    store((one + oneMinus) + first, out)
    store((one - oneMinus) + infinity + second, out + outStep)
}

@inline(__always)
private func stridedOutputLine4(
    _ source: UnsafePointer<Float>, _ step: Int, _ out: UnsafeMutablePointer<Float>, _ outStep: Int
) {
    let p = load(source)
    let pMinus = load(source + step)
    let q = load(source + 2 * step)
    let qMinus = load(source + 3 * step)
    let infinity = load(source + 4 * step)
    let first = load(source + 5 * step)
    let second = load(source + 6 * step)
    let third = load(source + 7 * step)
    let fourth = load(source + 8 * step)
    let evenP = p + pMinus
    let oddP = p - pMinus
    let evenQ = q + qMinus
    let oddQ = q - qMinus
    store((evenP + evenQ) + first, out)
    store(addProduct(addProduct(second, p2, oddP), q2, oddQ), out + outStep)
    store(addProduct(addProduct(third, p2 * p2, evenP), q2 * q2, evenQ), out + 2 * outStep)
    store(
        addProduct(addProduct(infinity + fourth, p2 * p2 * p2, oddP), q2 * q2 * q2, oddQ), out + 3 * outStep)
}

// MARK: - Weights

/// Transforms lines of three weights of eight output channels, `step` doubles apart, into lines of `m + 2`.
@inline(__always)
func weightLine(
    _ form: WinogradForm, _ source: UnsafePointer<Double>, _ step: Int, _ out: UnsafeMutablePointer<Double>,
    _ outStep: Int
) {
    let g0 = load(source)
    let g1 = load(source + step)
    let g2 = load(source + 2 * step)
    switch (form.stride, form.m) {
    case (1, 2):
        store(-g0, out)
        weightPair(g0, g1, g2, point: 1, divisor: 2, out + outStep, outStep)
        store(g2, out + 3 * outStep)
    case (1, 4):
        let p = Double(p4)
        let q = Double(q4)
        store(g0 * SIMD8(repeating: 1 / (p * p * q * q)), out)
        weightPair(g0, g1, g2, point: p, divisor: 2 * p * p * (p * p - q * q), out + outStep, outStep)
        weightPair(g0, g1, g2, point: q, divisor: 2 * q * q * (q * q - p * p), out + 3 * outStep, outStep)
        store(g2, out + 5 * outStep)
    case (1, _):
        store(-g0, out)
        weightPair(g0, g1, g2, point: 0.5, divisor: 2 * 0.25 * (0.25 - 1) * (0.25 - 4), out + outStep, outStep)
        weightPair(g0, g1, g2, point: 1, divisor: 2 * (1 - 0.25) * (1 - 4), out + 3 * outStep, outStep)
        weightPair(g0, g1, g2, point: 2, divisor: 2 * 4 * (4 - 0.25) * (4 - 1), out + 5 * outStep, outStep)
        store(g2, out + 7 * outStep)
    case (_, 2):
        stridedWeightPair(g0, g2, point: 1, divisor: 2, out, outStep)
        store(g2, out + 2 * outStep)
        store(g1, out + 3 * outStep)
    default:
        let p = Double(p2)
        let q = Double(q2)
        stridedWeightPair(g0, g2, point: p, divisor: 2 * p * (p * p - q * q), out, outStep)
        stridedWeightPair(g0, g2, point: q, divisor: 2 * q * (q * q - p * p), out + 2 * outStep, outStep)
        store(g2, out + 4 * outStep)
        store(g1, out + 5 * outStep)
    }
}

/// The values at `point` and at its negative.
@inline(__always)
private func weightPair(
    _ g0: SIMD8<Double>, _ g1: SIMD8<Double>, _ g2: SIMD8<Double>, point: Double, divisor: Double,
    _ out: UnsafeMutablePointer<Double>, _ outStep: Int
) {
    let even = (g0 + g2 * SIMD8(repeating: point * point)) * SIMD8(repeating: 1 / divisor)
    let odd = g1 * SIMD8(repeating: point / divisor)
    store(even + odd, out)
    store(even - odd, out + outStep)
}

/// The same for the two weights of a strided line.
@inline(__always)
private func stridedWeightPair(
    _ g0: SIMD8<Double>, _ g2: SIMD8<Double>, point: Double, divisor: Double, _ out: UnsafeMutablePointer<Double>,
    _ outStep: Int
) {
    let even = g2 * SIMD8(repeating: point / divisor)
    let odd = g0 * SIMD8(repeating: 1 / divisor)
    store(even + odd, out)
    store(even - odd, out + outStep)
}

// MARK: - Arithmetic

@inline(__always)
private func addProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    sum.addingProduct(Vector(repeating: factor), vector)
}

@inline(__always)
private func addProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    sum.addingProduct(factor, vector)
}

@inline(__always)
private func subtractProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    sum.addingProduct(Vector(repeating: -factor), vector)
}

@inline(__always)
private func subtractProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    sum.addingProduct(-factor, vector)
}

@inline(__always)
func load(_ address: UnsafePointer<Double>) -> SIMD8<Double> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD8<Double>.self)
}

@inline(__always)
func store(_ vector: SIMD8<Double>, _ address: UnsafeMutablePointer<Double>) {
    UnsafeMutableRawPointer(address).storeBytes(of: vector, as: SIMD8<Double>.self)
}
