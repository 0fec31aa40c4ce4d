// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Output pixels by the output channels of a panel:
    /// `output[p][c] = relu(bias[c] + sum over r, s, k of input[p][offset + r * rowStride + s * segmentStride + k] *
    /// weights[r][s][k][c] + residual[p][c])`.
    ///
    /// - Parameters:
    ///   - height: How many pixels: 4, 5 or 6.
    ///   - inputs: The start of the window of each pixel.
    ///   - residuals: Addresses of pixels; nil for none.
    ///   - outputs: Addresses of pixels.
    ///   - prefetch: Memory that will be needed soon, read at every `prefetchStep` bytes, one cache line for every
    ///     `columnsPerPrefetch` columns of the tile. Nothing is read but into the cache, so any address will do.
    @inline(never)
    package static func convolutionTile(
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
    // They have arrived when the sums are done.
    for row in 0..<rows { prefetchForWriting(outputs[row] + panel.channel, vectors: 2) }
    var sums = Sums(rows, load(panel.bias.unsafelyUnwrapped), load(panel.bias.unsafelyUnwrapped + lanes))
    var addresses = ScatteredRows(rows, inputs, offset: panel.input_offset)
    var weights = panel.weights.unsafelyUnwrapped
    var prefetch = prefetch
    let gap = panel.segment_stride &- panel.segment_length
    let rowGap = panel.row_stride &- panel.segment_count &* panel.segment_stride
    var row = panel.row_count
    repeat {
        var segment = panel.segment_count
        repeat {
            sums.addProducts(rows, &addresses, panel.segment_length, &weights, &prefetch, prefetchStep)
            addresses.advance(gap)
            segment &-= 1
        } while segment > 0
        addresses.advance(rowGap)
        row &-= 1
    } while row > 0
    let floor = sumFloor(isReLU: panel.is_relu)
    if let residuals { sums.add(rows, residuals, panel.channel) }
    sums.write(rows, above: floor, outputs, panel.channel)
}
