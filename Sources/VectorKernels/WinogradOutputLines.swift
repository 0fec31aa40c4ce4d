// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

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
