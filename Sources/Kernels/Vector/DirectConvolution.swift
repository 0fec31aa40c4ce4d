// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Convolution of any kernel size and stride straight from the bordered input, up to six pixels by a panel of
/// channels at a time.
///
/// A row of a window is contiguous in memory (channels last, with a border), so nothing is gathered: a tile needs the
/// addresses of its windows alone.
enum DirectConvolution<Instructions: VectorInstructions> {
    static func kernel(name: StaticString) -> ConvolutionKernel {
        ConvolutionKernel(
            name: name,
            packedCount: DirectPacking<Instructions>.packedCount,
            pack: DirectPacking<Instructions>.pack,
            blockCount: { task, _ in DirectBlocking(task, panelWidth: Instructions.panelWidth).blockCount },
            scratchCount: { DirectBlocking($0, panelWidth: Instructions.panelWidth).scratchCount },
            run: { task, _, block, memory in run(task: task, block: block, scratch: memory.own) }
        )
    }

    /// Computes the pixels and panels of one block.
    private static func run(task: ConvolutionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let shape = task.shape
        let width = Instructions.panelWidth
        let blocking = DirectBlocking(task, panelWidth: width)
        let tiles = TileAddresses(task, pixels: blocking.pixels(of: block), panelWidth: width, scratch: scratch)
        let panelFloats = shape.windowCount * width
        for panel in blocking.panels(of: block) {
            let channel = panel * width
            let weights = task.packedWeights + panel * panelFloats
            let isWhole = channel + width <= shape.outputChannels
            let whole = shims_convolution_panel(
                segment_count: shape.kernelSize, segment_stride: task.input.rowStride,
                segment_length: shape.kernelSize * shape.inputChannels, weights: weights,
                bias: isWhole ? task.bias + channel : tiles.paddedBias(task, channel: channel),
                is_relu: isWhole && task.relu, channel: isWhole ? channel : 0)
            let prefetch = PrefetchSchedule(
                weights + panelFloats, floats: panelFloats, tiles: tiles.heights.count,
                columnFloats: Instructions.floatsPerPrefetch)
            for tile in 0..<tiles.heights.count {
                let first = tile * TileHeights.maximum
                Instructions.convolutionTile(
                    height: tiles.heights.height(of: tile), whole, inputs: tiles.inputs + first,
                    residuals: isWhole && task.residual != nil ? tiles.residuals + first : nil,
                    outputs: UnsafePointer(isWhole ? tiles.outputs + first : tiles.edge),
                    prefetch: prefetch.start(tile: tile), prefetchStep: prefetch.step)
                if !isWhole { tiles.finishEdge(task, tile: tile, channel: channel) }
            }
        }
    }
}

extension ConvolutionShape {
    /// Floats of a window: the length of the sums.
    var windowCount: Int { kernelSize * kernelSize * inputChannels }
}

/// How a task is cut into blocks: ranges of output pixels by ranges of panels of output channels.
struct DirectBlocking {
    private let panelWidth: Int
    private let panelCount: Int
    private let outputChannels: Int
    private let pixelCount: Int
    private let pixelBlocks: Int
    private let panelBlocks: Int

    init(_ task: ConvolutionTask, panelWidth: Int) {
        let shape = task.shape
        self.panelWidth = panelWidth
        outputChannels = shape.outputChannels
        panelCount = divideRoundingUp(outputChannels, panelWidth)
        pixelCount = task.pixelCount
        let floatsPerPixel = shape.stride * shape.stride * shape.inputChannels
        let wanted = max(DirectBlocking.fewestPixels, DirectBlocking.cachedFloats / floatsPerPixel)
        let blocks = DirectBlocking.even(divideRoundingUp(pixelCount, wanted))
        // A block that is too small to be worth its overhead is not cut further.
        let work = Double(pixelCount) * Double(shape.windowCount) * Double(outputChannels)
        let worthwhile = max(1, min(DirectBlocking.wantedBlocks, Int(work / DirectBlocking.leastWork)))
        pixelBlocks = min(blocks, pixelCount)
        panelBlocks = min(panelCount, divideRoundingUp(worthwhile, pixelBlocks))
    }

    var blockCount: Int { pixelBlocks * panelBlocks }

    /// Neighbouring blocks share their weights.
    func pixels(of block: Int) -> Range<Int> { blockRange(block % pixelBlocks, of: pixelBlocks, count: pixelCount) }
    func panels(of block: Int) -> Range<Int> { blockRange(block / pixelBlocks, of: panelBlocks, count: panelCount) }

    /// Room for `TileAddresses`.
    var scratchCount: Int {
        TileAddresses.scratchCount(
            pixels: divideRoundingUp(pixelCount, pixelBlocks), channels: outputChannels, panelWidth: panelWidth)
    }

    /// A few blocks more, so that 2 and 4 threads get the same number of them.
    private static func even(_ count: Int) -> Int {
        count <= 1 ? 1 : count <= 2 ? 2 : divideRoundingUp(count, 4) * 4
    }

    /// What a block reads of the input stays in the second-level cache, beside two panels of weights: 224 KB.
    private static let cachedFloats = 56 * 1024
    /// Weights are read once for each block of pixels.
    private static let fewestPixels = 48
    /// Enough for a few threads to finish at about the same time.
    private static let wantedBlocks = 16
    /// Multiplications of a block: about 20 microseconds.
    private static let leastWork = 1_000_000.0
}
