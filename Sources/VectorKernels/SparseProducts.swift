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
    /// A multiplication reads its weights from the first-level cache, where a tile's stay in registers. That costs a
    /// quarter of the speed, for as many multiplications fewer as there are zeros.
    ///
    /// - Parameters:
    ///   - panels: How many, 2 or 4.
    ///   - inputs: Where the window of each pixel begins.
    ///   - masks: A word of `nonzeroMasks` of each pixel.
    ///   - sums: Those of the pixels one behind the other: `panels * panelWidth` floats each. Where there is one step alone
    ///     nothing is read or written.
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
    var prefetch = PanelLines(step, panels: count / 2)
    for pixel in 0..<pixels {
        prefetch.next()
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
            let line = weights + position &* panelWidth
            for index in 0..<count {
                let vector = load(line + ((index / 2) &* step.panel_stride &+ (index % 2) &* lanes))
                vectors[unchecked: index] = addProduct(vectors[unchecked: index], factor, vector)
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

/// The cache lines of the weights that the next step will read, some for each pixel of this one.
private struct PanelLines {
    private var address: UnsafeRawPointer
    private var panelEnd: UnsafeRawPointer
    private let panelBytes: Int
    /// From the end of a panel's lines to the next one's.
    private let gap: Int
    private var left: Int
    private let each: Int

    @inline(__always)
    init(_ step: shims_sparse_step, panels: Int) {
        address = UnsafeRawPointer(step.next_weights.unsafelyUnwrapped)
        panelBytes = step.panel_lines &* 64
        panelEnd = address + panelBytes
        gap = step.panel_stride &* 4 &- panelBytes
        left = panels &* step.panel_lines
        each = step.prefetched_lines
    }

    @inline(__always)
    mutating func next() {
        var count = min(each, left)
        left &-= count
        while count > 0 {
            shims_prefetch(address)
            address += 64
            count &-= 1
            if address == panelEnd {
                address += gap
                panelEnd = address + panelBytes
            }
        }
    }
}
