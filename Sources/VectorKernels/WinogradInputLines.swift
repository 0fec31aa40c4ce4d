// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Transforms a line of vectors of channels that are `step` floats apart, as many as the windows of `outputs` pixels
/// cover, to the points of these windows.
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

/// `inputLine4` without the pair ±q.
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

/// `inputLine6` without the pair ±1.
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

/// `inputLine6` without the pairs ±1/2 and ±2.
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
