// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The two-dimensional transforms of F(m x m, 3 x 3) at stride 1 (m = 2, 4, 6) and 2 (m = 2, 4): lines in one direction,
// then in the other. A line has `side` points, m + 2 at stride 1 and 2 m + 1 at stride 2, of which m + 2 have weights of
// their own. `scratch` holds the lines in between.

extension Leaves {
    /// Transforms the weights of one input channel for the output channels of a panel, each multiplied by its scale
    /// first:
    /// `out[point * pointStride + o]`, all in Double and rounded once at the end.
    ///
    /// - Parameters:
    ///   - weights: The 3 x 3 weights of the first output channel; those of the next are `outputStride` floats on.
    ///   - scale: `panelWidth` factors.
    ///   - isReversed: Whether the nine weights are in reverse, and read soon: then they are not stored past the caches.
    ///   - scratch: Room for 8 x (`weightSide` squared + 33) doubles and `weightSide` squared panels of floats.
    @inline(never)
    package static func winogradWeights(
        m: Int, stride: Int, weights: UnsafePointer<Float>, outputStride: Int, isReversed: Bool,
        scale: UnsafePointer<Double>, out: UnsafeMutablePointer<Float>, pointStride: Int,
        scratch: UnsafeMutablePointer<Double>
    ) {
        let flip = isReversed ? 8 : 0
        switch (stride, m) {
        case (1, 2):
            transformWeights(WinogradForm(2, stride: 1), weights, outputStride, flip, scale, out, pointStride, scratch)
        case (1, 4):
            transformWeights(WinogradForm(4, stride: 1), weights, outputStride, flip, scale, out, pointStride, scratch)
        case (1, _):
            transformWeights(WinogradForm(6, stride: 1), weights, outputStride, flip, scale, out, pointStride, scratch)
        case (_, 2):
            transformWeights(WinogradForm(2, stride: 2), weights, outputStride, flip, scale, out, pointStride, scratch)
        default:
            transformWeights(WinogradForm(4, stride: 2), weights, outputStride, flip, scale, out, pointStride, scratch)
        }
    }
}

@inline(__always)
private func transformWeights(
    _ form: WinogradForm, _ weights: UnsafePointer<Float>, _ outputStride: Int, _ flip: Int,
    _ scale: UnsafePointer<Double>, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Double>
) {
    let points = form.weightSide
    let scaled = scratch + 8 * points * points
    let lines = scaled + 8 * 9
    let panel = UnsafeMutableRawPointer(lines + 8 * 24).assumingMemoryBound(to: Float.self)
    // Eight output channels at a time.
    var first = 0
    while first < panelWidth {
        let factors = load(scale + first)
        let source = weights + first &* outputStride
        let square = TransposedSquare(source, stride: outputStride)
        // Each output channel is a stream of its own.
        for lane in 0..<8 { shims_prefetch(source + (lane &* outputStride &+ 128)) }
        // Reversed, the last of the nine weights comes first.
        for position in 0..<8 {
            store(SIMD8<Double>(square.column(position)) * factors, scaled + abs(flip &- position) &* 8)
        }
        let last = scaled + (64 &- flip &* 8)
        for lane in 0..<8 { last[lane] = Double(source[lane &* outputStride &+ 8]) * scale[first &+ lane] }
        for column in 0..<3 { weightLine(form, scaled + column &* 8, 24, lines + column &* 8, 24) }
        for row in 0..<points {
            let line = scratch + row &* points &* 8
            weightLine(form, lines + row &* 24, 8, line, 8)
            for column in 0..<points {
                let values = load(UnsafePointer(line + column &* 8))
                let point = row &* points &+ column
                storeEight(values, panel + (point &* panelWidth &+ first))
            }
        }
        first &+= 8
    }
    // Whole cache lines at once: those of the points may fall on the same few sets of the caches.
    for point in 0..<points * points {
        let (source, target) = (panel + point &* panelWidth, out + point &* pointStride)
        if flip == 0 {
            shims_stream(source, target, panelWidth)
        } else {
            store(load(source), target)
            store(load(source + lanes), target + lanes)
        }
    }
}

extension Leaves {
    /// Transforms the input pixels of a tile to the points that it has: `out[point * pointStride + channel]`.
    ///
    /// - Parameter scratch: Room for `side * side * panelWidth` floats.
    @inline(never)
    package static func winogradInput(
        m: Int, stride: Int, _ input: shims_winograd_input, out: UnsafeMutablePointer<Float>, pointStride: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        switch (stride, m) {
        case (1, 2): winogradInput2(input, out, pointStride, scratch)
        case (1, 4): winogradInput4(input, out, pointStride, scratch)
        case (1, _): winogradInput6(input, out, pointStride, scratch)
        case (_, 2): winogradStridedInput2(input, out, pointStride, scratch)
        default: winogradStridedInput4(input, out, pointStride, scratch)
        }
    }
}

// One function for each form, for the reason that tiles have one for each height.

@inline(never)
package func winogradInput2(
    _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformInput(WinogradForm(2, stride: 1), input, out, pointStride, scratch)
}

@inline(never)
package func winogradInput4(
    _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformInput(WinogradForm(4, stride: 1), input, out, pointStride, scratch)
}

@inline(never)
package func winogradInput6(
    _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformInput(WinogradForm(6, stride: 1), input, out, pointStride, scratch)
}

@inline(never)
package func winogradStridedInput2(
    _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformInput(WinogradForm(2, stride: 2), input, out, pointStride, scratch)
}

@inline(never)
package func winogradStridedInput4(
    _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformInput(WinogradForm(4, stride: 2), input, out, pointStride, scratch)
}

@inline(__always)
private func transformInput(
    _ form: WinogradForm, _ input: shims_winograd_input, _ out: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ scratch: UnsafeMutablePointer<Float>
) {
    // Two vectors at a time for at least so many channels: with AVX2 a cache line of each pixel, of which a power of
    // two as number of channels lets all pixels use a few sets of the first-level cache.
    let points = form.side
    let rows = shims_winograd_outputs(form.m, form.stride, input.rows)
    let columns = shims_winograd_outputs(form.m, form.stride, input.columns)
    let source = input.source.unsafelyUnwrapped
    let second = scratch + points &* points &* lanes
    var channel = 0
    while channel < input.channels {
        let isWhole = input.channels &- channel >= 2 &* lanes
        for column in 0..<form.samples(columns) {
            let pixel = source + (column &* input.pixel_stride &+ channel)
            inputLine(form, outputs: rows, pixel, input.row_stride, scratch + column &* lanes, points &* lanes)
            if isWhole {
                inputLine(
                    form, outputs: rows, pixel + lanes, input.row_stride, second + column &* lanes, points &* lanes)
            }
        }
        for row in 0..<points where form.has(row, rows) {
            let line = row &* points &* lanes
            let point = out + (row &* points &* pointStride &+ channel)
            inputLine(form, outputs: columns, scratch + line, lanes, point, pointStride)
            if isWhole { inputLine(form, outputs: columns, second + line, lanes, point + lanes, pointStride) }
        }
        channel &+= 2 &* lanes
    }
}

extension Leaves {
    /// Transforms the products of a panel of output channels, `products[point * pointStride + c]`, into output pixels, to which
    /// bias and residual are added and the ReLU applied.
    @inline(never)
    package static func winogradOutput(
        m: Int, stride: Int, products: UnsafePointer<Float>, pointStride: Int, _ target: shims_winograd_output,
        scratch: UnsafeMutablePointer<Float>
    ) {
        switch (stride, m) {
        case (1, 2): winogradOutput2(products, pointStride, target, scratch)
        case (1, 4): winogradOutput4(products, pointStride, target, scratch)
        case (1, _): winogradOutput6(products, pointStride, target, scratch)
        case (_, 2): winogradStridedOutput2(products, pointStride, target, scratch)
        default: winogradStridedOutput4(products, pointStride, target, scratch)
        }
    }
}

// One function for each form, for the reason that tiles have one for each height.

@inline(never)
package func winogradOutput2(
    _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformOutput(WinogradForm(2, stride: 1), products, pointStride, target, scratch)
}

@inline(never)
package func winogradOutput4(
    _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformOutput(WinogradForm(4, stride: 1), products, pointStride, target, scratch)
}

@inline(never)
package func winogradOutput6(
    _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformOutput(WinogradForm(6, stride: 1), products, pointStride, target, scratch)
}

@inline(never)
package func winogradStridedOutput2(
    _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformOutput(WinogradForm(2, stride: 2), products, pointStride, target, scratch)
}

@inline(never)
package func winogradStridedOutput4(
    _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    transformOutput(WinogradForm(4, stride: 2), products, pointStride, target, scratch)
}

@inline(__always)
private func transformOutput(
    _ form: WinogradForm, _ products: UnsafePointer<Float>, _ pointStride: Int, _ target: shims_winograd_output,
    _ scratch: UnsafeMutablePointer<Float>
) {
    let points = form.side
    let rows = shims_winograd_outputs(form.m, form.stride, target.rows)
    let columns = shims_winograd_outputs(form.m, form.stride, target.columns)
    let floor = sumFloor(isReLU: target.is_relu)
    let left = load(target.bias.unsafelyUnwrapped)
    let right = load(target.bias.unsafelyUnwrapped + lanes)
    let second = scratch + points &* points &* lanes
    for column in 0..<points where form.has(column, columns) {
        let point = products + column &* pointStride
        let line = scratch + column &* lanes
        let secondLine = second + column &* lanes
        outputLine(form, outputs: rows, point, points &* pointStride, line, points &* lanes)
        outputLine(form, outputs: rows, point + lanes, points &* pointStride, secondLine, points &* lanes)
    }
    for row in 0..<target.rows {
        let line = scratch + row &* points &* lanes
        let secondLine = second + row &* points &* lanes
        // Transformed in place: writes precede everything that is still to be read.
        outputLine(form, outputs: columns, line, lanes, line, lanes)
        outputLine(form, outputs: columns, secondLine, lanes, secondLine, lanes)
        let out = target.output.unsafelyUnwrapped + row &* target.output_row
        for column in 0..<target.columns {
            var leftValue = load(line + column &* lanes) + left
            var rightValue = load(secondLine + column &* lanes) + right
            if let residual = target.residual {
                let pixel = residual + (row &* target.residual_row &+ column &* target.residual_pixel)
                leftValue += load(pixel)
                rightValue += load(pixel + lanes)
            }
            let pixel = out + column &* target.output_pixel
            store(rectified(leftValue, floor), pixel)
            store(rectified(rightValue, floor), pixel + lanes)
        }
    }
}
