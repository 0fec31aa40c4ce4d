// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Output pixels by sixteen output channels of a convolution:
/// `output[p][c] = relu(bias[c] + sum over s, k of input[p][s * segmentStride + k] * weights[s][k][c] + residual[p][c])`.
///
/// - Parameters:
///   - height: How many pixels: 4, 5 or 6.
///   - inputs: Where the window of each pixel begins.
///   - residuals: Addresses of pixels; nil for none.
///   - outputs: Addresses of pixels.
///   - prefetch: Memory that will be needed soon, read at every `prefetchStep` bytes, one cache line for every four
///     columns of the tile. Nothing is read but into the cache, so any address will do.
@inline(never)
package func convolutionTile(
    height: Int, _ panel: shims_convolution_panel, inputs: UnsafePointer<UnsafePointer<Float>>,
    residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
    prefetch: UnsafeRawPointer, prefetchStep: Int
) {
    switch height {
    case 6: convolutionTile6(panel, inputs, residuals, outputs, prefetch, prefetchStep)
    case 5: convolutionTile5(panel, inputs, residuals, outputs, prefetch, prefetchStep)
    default: convolutionTile4(panel, inputs, residuals, outputs, prefetch, prefetchStep)
    }
}

// One function for each height: all three in one are too much for the optimiser, which then leaves the sums in memory.

@inline(never)
package func convolutionTile6(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
    _ prefetch: UnsafeRawPointer, _ prefetchStep: Int
) {
    compute(6, panel, inputs, residuals, outputs, prefetch, prefetchStep)
}

@inline(never)
package func convolutionTile5(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
    _ prefetch: UnsafeRawPointer, _ prefetchStep: Int
) {
    compute(5, panel, inputs, residuals, outputs, prefetch, prefetchStep)
}

@inline(never)
package func convolutionTile4(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
    _ prefetch: UnsafeRawPointer, _ prefetchStep: Int
) {
    compute(4, panel, inputs, residuals, outputs, prefetch, prefetchStep)
}

@inline(__always)
private func compute(
    _ rows: Int, _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>,
    _ prefetch: UnsafeRawPointer, _ prefetchStep: Int
) {
    var sums = Sums(load(panel.bias.unsafelyUnwrapped), load(panel.bias.unsafelyUnwrapped + 8))
    var addresses = RowAddresses(rows, inputs)
    var weights = panel.weights.unsafelyUnwrapped
    var prefetch = prefetch
    let gap = panel.segment_stride &- panel.segment_length
    var segment = panel.segment_count
    repeat {
        sums.addProducts(rows, &addresses, panel.segment_length, &weights, &prefetch, prefetchStep)
        addresses.advance(gap)
        segment &-= 1
    } while segment > 0
    // Without a ReLU nothing is below the floor.
    let floor = Vector(repeating: panel.is_relu ? 0 : -.infinity)
    let channel = panel.channel
    if let residuals {
        finish(sums.row00, sums.row01, floor, residuals[0] + channel, outputs[0] + channel)
        finish(sums.row10, sums.row11, floor, residuals[1] + channel, outputs[1] + channel)
        finish(sums.row20, sums.row21, floor, residuals[2] + channel, outputs[2] + channel)
        finish(sums.row30, sums.row31, floor, residuals[3] + channel, outputs[3] + channel)
        if rows > 4 { finish(sums.row40, sums.row41, floor, residuals[4] + channel, outputs[4] + channel) }
        if rows > 5 { finish(sums.row50, sums.row51, floor, residuals[5] + channel, outputs[5] + channel) }
    } else {
        finish(sums.row00, sums.row01, floor, outputs[0] + channel)
        finish(sums.row10, sums.row11, floor, outputs[1] + channel)
        finish(sums.row20, sums.row21, floor, outputs[2] + channel)
        finish(sums.row30, sums.row31, floor, outputs[3] + channel)
        if rows > 4 { finish(sums.row40, sums.row41, floor, outputs[4] + channel) }
        if rows > 5 { finish(sums.row50, sums.row51, floor, outputs[5] + channel) }
    }
}

// What follows has no branches: with them it would not be inlined everywhere, and leave a weak function behind.

/// Applies the ReLU and stores a pixel.
@inline(__always)
private func finish(_ left: Vector, _ right: Vector, _ floor: Vector, _ out: UnsafeMutablePointer<Float>) {
    store(rectified(left, floor), out)
    store(rectified(right, floor), out + 8)
}

/// Adds the residual first.
@inline(__always)
private func finish(
    _ left: Vector, _ right: Vector, _ floor: Vector, _ residual: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>
) {
    finish(left + load(residual), right + load(residual + 8), floor, out)
}
