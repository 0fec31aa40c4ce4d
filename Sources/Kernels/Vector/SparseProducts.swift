// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The pixels of a block of a convolution, computed from what is not zero in their windows: a ReLU leaves about half of its
/// numbers zero.
///
/// Sums are those of the dense tiles to the bit (see the leaf function), so that it does not matter to a pixel with which
/// others it shares a block, and whether they are worth it. Only the sign of a sum that is zero may differ, which ends at
/// the ReLU; and weights that are not finite, whose products with zero are NaN, are left to the tiles.
struct SparseProducts<Instructions: VectorInstructions> {
    private let task: ConvolutionTask
    private let addresses: TileAddresses
    private let sums: UnsafeMutablePointer<Float>
    /// A bit for each float of a window, in words of 64: those of all pixels for the first word, then the second.
    private let masks: UnsafeMutablePointer<UInt64>
    private let wordCount: Int

    /// Pixels that take their turn with the weights of a step: their sums stay in the second-level cache.
    private static var mostPixels: Int { 192 }
    /// Panels of output channels whose sums fit into the registers.
    static var mostPanels: Int { 4 }
    /// Weights of a step, which take half of the first-level cache or two thirds: 16 KB of 32, 32 of 48. The fewer steps,
    /// the fewer times do sums come and go.
    private static var stepFloats: Int { shims_first_level_cache() >= 48 * 1024 ? 8192 : 4096 }
    private static var maskBits: Int { UInt64.bitWidth }
    /// Every so many pixels one is looked at for the share of zeros.
    private static var samplePeriod: Int { 8 }
    /// The percentage of nonzero inputs up to which this is faster than tiles.
    private static var mostNonzeroPercent: Int { 66 }

    /// Whether a tap of a window is whole words.
    static func supports(_ shape: ConvolutionShape) -> Bool {
        shape.groups == 1 && shape.inputChannels % maskBits == 0
    }

    /// Floats of scratch memory, 0 for a shape that is always left to the tiles.
    static func scratchCount(_ shape: ConvolutionShape, pixels: Int) -> Int {
        guard supports(shape) else { return 0 }
        let floatsPerMask = MemoryLayout<UInt64>.stride / MemoryLayout<Float>.stride
        return sumCount(pixels: pixels) + pixels * (shape.windowCount / maskBits) * floatsPerMask
    }

    private static func sumCount(pixels: Int) -> Int {
        min(pixels, mostPixels) * mostPanels * Instructions.panelWidth
    }

    /// Nil where tiles are faster.
    ///
    /// - Parameter scratch: Aligned to 64 bytes.
    init?(_ task: ConvolutionTask, _ addresses: TileAddresses, scratch: UnsafeMutablePointer<Float>) {
        guard Self.supports(task.shape), DirectPacking<Instructions>.isFinite(task.packedWeights, task.shape) else {
            return nil
        }
        self.task = task
        self.addresses = addresses
        sums = scratch
        masks = UnsafeMutableRawPointer(scratch + Self.sumCount(pixels: addresses.pixelCount))
            .assumingMemoryBound(to: UInt64.self)
        wordCount = task.shape.windowCount / Self.maskBits
        guard isSparse() else { return nil }
        for pixel in 0..<pixelCount where pixel % Self.samplePeriod != 0 { findNonzero(pixel) }
    }

    private var pixelCount: Int { addresses.pixelCount }

    private func findNonzero(_ pixel: Int) {
        let segments = WindowSegments(task)
        let words = segments.length / Self.maskBits
        var mask = masks + pixel
        for row in 0..<segments.rowCount {
            for segment in 0..<segments.count {
                Instructions.nonzeroMasks(
                    addresses.inputs[pixel] + segments.offset(row: row, segment: segment), words: words, masks: mask,
                    stride: pixelCount)
                mask += words * pixelCount
            }
        }
    }

    /// Whether a sample of the pixels, whose masks it finds, has zeros enough.
    private func isSparse() -> Bool {
        var (nonzero, all) = (0, 0)
        for pixel in stride(from: 0, to: pixelCount, by: Self.samplePeriod) {
            findNonzero(pixel)
            for word in 0..<wordCount { nonzero += masks[word * pixelCount + pixel].nonzeroBitCount }
            all += task.shape.windowCount
        }
        return nonzero * 100 <= all * Self.mostNonzeroPercent
    }

    /// Computes as many of the panels as it can, and returns those that are left.
    func compute(_ panels: Range<Int>) -> Range<Int> {
        let whole = panels.lowerBound..<min(panels.upperBound, task.shape.outputChannels / Instructions.panelWidth)
        var panel = whole.lowerBound
        while whole.upperBound - panel >= 2 {
            let count = whole.upperBound - panel >= Self.mostPanels ? Self.mostPanels : 2
            compute(panel: panel, count: count)
            panel += count
        }
        return panel..<panels.upperBound
    }

    /// Computes all pixels of some panels.
    private func compute(panel: Int, count: Int) {
        let chunkCount = divideRoundingUp(pixelCount, Self.mostPixels)
        let depth = min(Self.maskBits, Self.stepFloats / (count * Instructions.panelWidth))
        for chunk in 0..<chunkCount {
            let pixels = blockRange(chunk, of: chunkCount, count: pixelCount)
            for start in stride(from: 0, to: task.shape.windowCount, by: depth) {
                Instructions.sparseProducts(
                    panels: count, step(start, depth: depth, panel: panel, count: count, pixels: pixels.count),
                    pixels: pixels.count, inputs: addresses.inputs + pixels.lowerBound,
                    masks: masks + (start / Self.maskBits * pixelCount + pixels.lowerBound), sums: sums,
                    residuals: task.residual != nil ? addresses.residuals + pixels.lowerBound : nil,
                    outputs: UnsafePointer(addresses.outputs + pixels.lowerBound))
            }
        }
    }

    /// The step that begins with float `start` of a window.
    private func step(_ start: Int, depth: Int, panel: Int, count: Int, pixels: Int) -> shims_sparse_step {
        let shape = task.shape
        let width = Instructions.panelWidth
        let panelFloats = shape.windowCount * width
        let weights = task.packedWeights + (panel * panelFloats + start * width)
        let isLast = start + depth == shape.windowCount
        let segments = WindowSegments(task)
        let (index, rest) = start.quotientAndRemainder(dividingBy: segments.length)
        let (row, segment) = index.quotientAndRemainder(dividingBy: segments.count)
        return shims_sparse_step(
            weights: weights, panel_stride: panelFloats, bias: task.bias + panel * width,
            input_offset: segments.offset(row: row, segment: segment) + rest, mask_shift: UInt64(start % Self.maskBits),
            mask_bits: UInt64.max >> UInt64(Self.maskBits - depth), output_channel: panel * width,
            is_first: start == 0, is_last: isLast, is_relu: task.relu,
            next_weights: weights + (isLast ? (count - 1) * panelFloats : 0) + depth * width,
            panel_lines: depth * width / floatsPerCacheLine,
            prefetched_lines: divideRoundingUp(depth * width / floatsPerCacheLine, pixels))
    }
}

private let floatsPerCacheLine = 16
