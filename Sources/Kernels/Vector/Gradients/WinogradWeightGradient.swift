// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The gradient of weights of 3 x 3 by Winograd's F(4 x 4, 3 x 3): 36 multiplications for a tile of 16 pixels instead of
/// 144. `VectorKernels/WinogradGradients.swift` has the formula.
///
/// All threads transform inputs and output gradients of a chunk of tiles. Each then takes some output channels and a
/// panel of input channels, multiplies them point by point, transforms the sums and adds them to those of earlier
/// chunks.
struct WinogradWeightGradient<Instructions: VectorInstructions> {
    static var kernel: Kernel<WeightGradientTask> {
        Kernel(
            name: Instructions.names.winogradWeightGradient,
            needs: { task in
                let cut = WinogradGradientCut(task)
                return KernelNeeds(
                    phaseCount: 2 * cut.chunkCount + 1, sharedCount: task.shape.weightCount + cut.transformedCount,
                    scratchCount: max(cut.transformScratchCount, cut.productScratchCount, task.shape.windowCount))
            },
            blockCount: { task, phase in
                let cut = WinogradGradientCut(task)
                if phase == 2 * cut.chunkCount { return parts(task).combiningBlockCount }
                return phase % 2 == 0 ? cut.transformBlockCount : cut.productBlockCount
            },
            runBlock: { task, phase, block, memory in
                let cut = WinogradGradientCut(task)
                if phase == 2 * cut.chunkCount {
                    return VectorWeightGradient<Instructions>.combine(task, parts(task), block, memory)
                }
                let chunk = WinogradGradientChunk<Instructions>(
                    task: task, cut: cut, tiles: cut.chunk(phase / 2), isFirst: phase < 2, memory: memory)
                if phase % 2 == 0 { chunk.transform(block: block) } else { chunk.multiply(block: block) }
            })
    }

    private static func parts(_ task: WeightGradientTask) -> WeightGradientParts {
        WeightGradientParts(task, partCount: 1)
    }
}

/// How a gradient is cut into chunks and blocks: by the sizes alone, so that the bits depend neither on threads nor on the
/// width of vectors.
struct WinogradGradientCut {
    /// Output pixels of a tile in each direction.
    static let tileSize = 4
    static let pointCount = 36
    /// Channels that transforms have in common: as many as the widest panel.
    static let channelsTogether = 32

    let rows: Int
    let columns: Int
    let chunkCount: Int
    private let tileCount: Int
    private let inputChannels: Int
    private let outputChannels: Int

    init(_ task: WeightGradientTask) {
        let shape = task.shape
        (inputChannels, outputChannels) = (shape.inputChannels, shape.outputChannels)
        rows = divideRoundingUp(shape.outputHeight, Self.tileSize)
        columns = divideRoundingUp(shape.outputWidth, Self.tileSize)
        tileCount = task.imageCount * rows * columns
        let fitting = sharedFloats / (Self.pointCount * (inputChannels + outputChannels))
        chunkCount = divideRoundingUp(tileCount, max(fewestTiles, fitting))
    }

    /// Whether it can be computed so, and takes clearly fewer multiplications.
    static func supports(_ shape: ConvolutionShape) -> Bool {
        let tiles = divideRoundingUp(shape.outputHeight, tileSize) * divideRoundingUp(shape.outputWidth, tileSize)
        return shape.kernelSize == 3 && shape.stride == 1 && shape.padding == 1 && shape.dilation == 1
            && shape.groups == 1 && shape.inputChannels % channelsTogether == 0
            && shape.outputChannels % channelsTogether == 0
            && 3 * pointCount * tiles <= 2 * 9 * shape.outputHeight * shape.outputWidth
    }

    func chunk(_ index: Int) -> Range<Int> { blockRange(index, of: chunkCount, count: tileCount) }

    /// Place of a tile among those of all images.
    func place(_ tile: Int) -> (image: Int, row: Int, column: Int) {
        let (line, column) = tile.quotientAndRemainder(dividingBy: columns)
        let (image, row) = line.quotientAndRemainder(dividingBy: rows)
        return (image, row * Self.tileSize, column * Self.tileSize)
    }

    // MARK: - Memory

    private var mostTiles: Int { divideRoundingUp(tileCount, chunkCount) }

    /// Floats of one side, from a point to the next: not a power of two, of which a cache holds few.
    func pointStride(_ channels: Int) -> Int { mostTiles * channels + 32 }

    /// Floats from a panel's transforms to the next panel's.
    func panelStride(_ width: Int) -> Int { mostTiles * width }

    var inputCount: Int { Self.pointCount * pointStride(inputChannels) }
    var transformedCount: Int { inputCount + Self.pointCount * pointStride(outputChannels) }

    /// A tile's input with its zeros, and lines of a transform.
    var transformScratchCount: Int { 2 * Self.pointCount * Self.channelsTogether }
    var sumStride: Int { outputsTogether * Self.channelsTogether + 16 }
    var productScratchCount: Int { Self.pointCount * (sumStride + Self.channelsTogether) }

    // MARK: - Blocks

    var transformBlockCount: Int { min(mostTiles, wantedBlocks) }

    func transformedTiles(of block: Int, _ chunk: Range<Int>) -> Range<Int> {
        let tiles = blockRange(block, of: transformBlockCount, count: chunk.count)
        return chunk.lowerBound + tiles.lowerBound..<chunk.lowerBound + tiles.upperBound
    }

    private var outputRanges: Int { divideRoundingUp(outputChannels, outputsTogether) }

    /// Neighbouring blocks have the same input channels.
    var productBlockCount: Int { outputRanges * (inputChannels / Self.channelsTogether) }

    /// The first of the input channels of a block, and its output channels.
    func channels(of block: Int) -> (input: Int, outputs: Range<Int>) {
        let (input, range) = block.quotientAndRemainder(dividingBy: outputRanges)
        let first = range * outputsTogether
        return (input * Self.channelsTogether, first..<min(first + outputsTogether, outputChannels))
    }
}

/// Transforms that all threads share, in the part of the third-level cache that one can count on: 6 MB.
private let sharedFloats = 3 * 512 * 1024
/// Fewer tiles than that take longer to transform than to multiply.
private let fewestTiles = 16
private let wantedBlocks = 16
/// Output channels of a block: its sums of all points stay in the second-level cache, 288 KB.
private let outputsTogether = 64

/// The tiles that are transformed and multiplied between two barriers.
private struct WinogradGradientChunk<Instructions: VectorInstructions> {
    let task: WeightGradientTask
    let cut: WinogradGradientCut
    let tiles: Range<Int>
    let isFirst: Bool
    let memory: KernelMemory

    private var width: Int { Instructions.panelWidth }
    private var size: Int { WinogradGradientCut.tileSize }
    private var pointCount: Int { WinogradGradientCut.pointCount }
    private var side: Int { size + 2 }

    private var inputs: UnsafeMutablePointer<Float> { memory.shared + task.shape.weightCount }
    private var gradients: UnsafeMutablePointer<Float> { inputs + cut.inputCount }

    // MARK: - Transforms

    /// Transforms some tiles: `[point][panel][tile][channel]`.
    func transform(block: Int) {
        for tile in cut.transformedTiles(of: block, tiles) {
            let place = cut.place(tile)
            let out = (tile - tiles.lowerBound) * width
            for panel in 0..<task.shape.inputChannels / width {
                let target = inputs + panel * cut.panelStride(width) + out
                transformInput(place, channel: panel * width, to: target)
            }
            for panel in 0..<task.shape.outputChannels / width {
                let target = gradients + panel * cut.panelStride(width) + out
                transformGradient(place, channel: panel * width, to: target)
            }
        }
    }

    private func transformInput(
        _ place: (image: Int, row: Int, column: Int), channel: Int, to out: UnsafeMutablePointer<Float>
    ) {
        let patch = Patch(
            task.input, image: place.image, row: place.row - 1, column: place.column - 1, side: side, border: 1,
            channel: channel)
        let pixels = patch.complete(in: memory.own, width: width)
        Instructions.winogradInput(
            m: size, stride: 1,
            shims_winograd_input(
                source: pixels.source, row_stride: pixels.rowStride, pixel_stride: pixels.pixelStride, channels: width,
                rows: size, columns: size),
            out: out, pointStride: cut.pointStride(task.shape.inputChannels), scratch: memory.own + pointCount * width)
    }

    private func transformGradient(
        _ place: (image: Int, row: Int, column: Int), channel: Int, to out: UnsafeMutablePointer<Float>
    ) {
        let patch = Patch(
            task.outputGradient, image: place.image, row: place.row, column: place.column, side: size, border: 0,
            channel: channel)
        let pixels = patch.complete(in: memory.own, width: width)
        Instructions.winogradGradient(
            pixels.source, rowStride: pixels.rowStride, pixelStride: pixels.pixelStride, out: out,
            pointStride: cut.pointStride(task.shape.outputChannels), scratch: memory.own + pointCount * width)
    }

    // MARK: - Products

    /// Multiplies the transforms of some output channels and a panel, or two, of input channels, and adds the transformed sums
    /// to those of the chunks before, in the order of a window in memory.
    func multiply(block: Int) {
        let channels = cut.channels(of: block)
        let heights = TileHeights(rows: width, most: Instructions.mostProductRows)
        var input = channels.input
        while input < channels.input + WinogradGradientCut.channelsTogether {
            for point in 0..<pointCount { multiply(point, input, channels.outputs, heights) }
            for output in channels.outputs {
                Instructions.winogradWeightGradient(
                    memory.own + (output - channels.outputs.lowerBound) * width, pointStride: cut.sumStride,
                    out: memory.shared + output * task.shape.windowCount + input, tapStride: task.shape.inputChannels,
                    isFirst: isFirst, scratch: memory.own + pointCount * cut.sumStride)
            }
            input += width
        }
    }

    /// Multiplies the transforms of a point.
    private func multiply(_ point: Int, _ input: Int, _ outputs: Range<Int>, _ heights: TileHeights) {
        // Both sides of so many tiles stay in the first-level cache.
        let together = 128
        let panel = inputs + point * cut.pointStride(task.shape.inputChannels) + input * cut.panelStride(1)
        var first = 0
        while first < tiles.count {
            let count = min(together, tiles.count - first)
            for outputPanel in 0..<outputs.count / width {
                let output = outputs.lowerBound + outputPanel * width
                let gradients =
                    gradients + point * cut.pointStride(task.shape.outputChannels) + output * cut.panelStride(1)
                    + first * width
                for tile in 0..<heights.count {
                    let row = heights.start(of: tile)
                    Instructions.gradientTile(
                        height: heights.height(of: tile), pixels: count, gradients: gradients + row, step: width,
                        panel: panel + first * width,
                        out: memory.own + point * cut.sumStride + (outputPanel * width + row) * width,
                        isFirst: first == 0)
                }
            }
            first += count
        }
    }
}

/// A square of pixels, of which an image may lack the last ones.
private struct Patch {
    private let source: UnsafePointer<Float>
    private let rowStride: Int
    private let pixelStride: Int
    private let side: Int
    /// How many rows and columns the image has, its border included.
    private let rows: Int
    private let columns: Int

    init(_ image: Activation, image index: Int, row: Int, column: Int, side: Int, border: Int, channel: Int) {
        source = UnsafePointer(image.pixel(image: index, row: row, column: column)) + channel
        rowStride = image.rowStride
        pixelStride = image.channels
        self.side = side
        rows = min(side, image.height + border - row)
        columns = min(side, image.width + border - column)
    }

    /// The pixels where they are, or a copy with zeros for those that are missing.
    func complete(
        in memory: UnsafeMutablePointer<Float>, width: Int
    ) -> (source: UnsafePointer<Float>, rowStride: Int, pixelStride: Int) {
        if rows == side && columns == side { return (source, rowStride, pixelStride) }
        for row in 0..<side {
            for column in 0..<side {
                let out = memory + (row * side + column) * width
                if row < rows && column < columns {
                    out.update(from: source + row * rowStride + column * pixelStride, count: width)
                } else {
                    out.update(repeating: 0, count: width)
                }
            }
        }
        return (UnsafePointer(memory), side * width, width)
    }
}
