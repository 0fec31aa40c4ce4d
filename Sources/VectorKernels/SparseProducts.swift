// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// A step of a convolution by what is not zero in its input: adds to the sums of some pixels, for the output channels of
    /// a few panels, the products of up to 64 floats that follow each other in a window.
    ///
    /// Each sum runs over its terms in the order of the window, as in `convolutionTile`, so that it has the same
    /// bits: a product with zero changes no sum but, perhaps, the sign of one that is zero.
    ///
    /// A multiplication reads its weights from the first-level cache; those of a tile stay in registers. That costs a
    /// quarter of the speed and saves a multiplication for every zero.
    ///
    /// - Parameters:
    ///   - panels: How many, 2 or 4.
    ///   - inputs: The start of the window of each pixel.
    ///   - masks: A word of `nonzeroMasks` of each pixel.
    ///   - sums: Those of the pixels in sequence: `panels * panelWidth` floats each. A single step reads and writes
    ///     nothing here.
    ///   - residuals: Addresses of pixels; nil for none. As `outputs`, for the last step.
    ///   - outputs: Addresses of pixels.
    @inline(never)
    package static func sparseProducts(
        panels: Int, _ step: shims_sparse_step, pixels: Int, inputs: UnsafePointer<UnsafePointer<Float>>,
        masks: UnsafePointer<UInt64>, sums: UnsafeMutablePointer<Float>,
        residuals: UnsafePointer<UnsafePointer<Float>>?, outputs: UnsafePointer<UnsafeMutablePointer<Float>>
    ) {
        switch panels {
        case 4: sparseProducts4(step, pixels, inputs, masks, sums, residuals, outputs)
        default: sparseProducts2(step, pixels, inputs, masks, sums, residuals, outputs)
        }
    }
}

// One function for each number of panels, for the reason that tiles have one for each height.

@inline(never)
package func sparseProducts4(
    _ step: shims_sparse_step, _ pixels: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ masks: UnsafePointer<UInt64>, _ sums: UnsafeMutablePointer<Float>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    compute(8, step, pixels, inputs, masks, sums, residuals, outputs)
}

@inline(never)
package func sparseProducts2(
    _ step: shims_sparse_step, _ pixels: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ masks: UnsafePointer<UInt64>, _ sums: UnsafeMutablePointer<Float>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    compute(4, step, pixels, inputs, masks, sums, residuals, outputs)
}

/// `count`, a literal, is how many vectors of sums a pixel has.
@inline(__always)
private func compute(
    _ count: Int, _ step: shims_sparse_step, _ pixels: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ masks: UnsafePointer<UInt64>, _ sums: UnsafeMutablePointer<Float>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    let weights = step.weights.unsafelyUnwrapped
    let bias = step.bias.unsafelyUnwrapped
    let floor = sumFloor(isReLU: step.is_relu)
    var prefetch = PanelLines(step)
    for pixel in 0..<pixels {
        prefetch.next(panels: count / 2)
        if step.is_last {
            prefetchForWriting(outputs[pixel] + step.output_channel, vectors: count)
        }
        let own = sums + pixel &* count &* lanes
        let start = step.is_first ? bias : UnsafePointer(own)
        var vectors = InlineArray<8, Vector> { index in index < count ? load(start + index &* lanes) : .zero }
        let input = inputs[pixel] + step.input_offset
        var mask = (masks[pixel] &>> step.mask_shift) & step.mask_bits
        while mask != 0 {
            let position = mask.trailingZeroBitCount
            mask &= mask &- 1
            let factor = Vector(repeating: input[position])
            var line = shims_in_register(weights + position &* panelWidth).unsafelyUnwrapped
            for panel in 0..<count / 2 {
                vectors[unchecked: 2 &* panel] = addProduct(vectors[unchecked: 2 &* panel], factor, load(line))
                vectors[unchecked: 2 &* panel &+ 1] = addProduct(
                    vectors[unchecked: 2 &* panel &+ 1], factor, load(line + lanes))
                line = shims_in_register(line + step.panel_stride).unsafelyUnwrapped
            }
        }
        if !step.is_last {
            for index in 0..<count { store(vectors[unchecked: index], own + index &* lanes) }
            continue
        }
        if let residuals {
            let residual = residuals[pixel] + step.output_channel
            for index in 0..<count { vectors[unchecked: index] += load(residual + index &* lanes) }
        }
        let output = outputs[pixel] + step.output_channel
        for index in 0..<count { store(rectified(vectors[unchecked: index], floor), output + index &* lanes) }
    }
}

/// The cache lines of the weights that the next step will read: with each pixel of this one some of every panel.
private struct PanelLines {
    private var address: UnsafePointer<Float>
    private let stride: Int
    private var left: Int
    private let each: Int

    @inline(__always)
    init(_ step: shims_sparse_step) {
        address = step.next_weights.unsafelyUnwrapped
        stride = step.panel_stride
        left = step.panel_lines
        each = step.prefetched_lines
    }

    /// `panels`, a literal, is their number.
    @inline(__always)
    mutating func next(panels: Int) {
        var count = min(each, left)
        left &-= count
        while count > 0 {
            for panel in 0..<panels { shims_prefetch(address + panel &* stride) }
            address += 16
            count &-= 1
        }
    }
}
