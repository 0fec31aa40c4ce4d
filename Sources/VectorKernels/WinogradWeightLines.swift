// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

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
