// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Output conversion to planes (NCHW), in tiles of pixels by channels. Other strides, and channels that fill no vectors,
/// are left to the portable kernel.
enum VectorOutputConversion<Instructions: VectorInstructions> {
    static var kernel: Kernel<OutputConversionTask> {
        Kernel(
            name: Instructions.names.outputConversion,
            blockCount: { task, _ in
                PlaneBlocks(task)?.count ?? PortableOutputConversion.blockCount(task)
            },
            runBlock: { task, _, block, _ in
                if let blocks = PlaneBlocks(task) {
                    run(task, blocks, block: block)
                } else {
                    PortableOutputConversion.run(task, block: block)
                }
            })
    }

    private static func run(_ task: OutputConversionTask, _ blocks: PlaneBlocks, block: Int) {
        let (line, channels) = blocks.line(of: block)
        var pixels = InlineArray<256, UnsafePointer<Float>?>(repeating: nil)
        for index in 0..<line.count {
            let (row, column) = (line.lowerBound + index).quotientAndRemainder(dividingBy: task.input.width)
            pixels[index] = UnsafePointer(task.input.pixel(row: row, column: column)) + channels.lowerBound
        }
        let (row, column) = line.lowerBound.quotientAndRemainder(dividingBy: task.input.width)
        let out = task.destination + (row * task.rowStride + column + channels.lowerBound * task.channelStride)
        pixels.span.withUnsafeBufferPointer { pixels in
            guard let pixels = pixels.baseAddress else { return }
            Instructions.transposePixels(
                pixels, count: line.count, channels: channels.count, out: out, planeStride: task.channelStride)
        }
    }
}

/// How an image is cut that goes to planes: a block is some pixels, which in a plane follow each other, by some channels.
private struct PlaneBlocks {
    private let pixelCount: Int
    /// Pixels after which a plane may have a gap.
    private let runLength: Int
    private let channels: Int
    private let linesPerRun: Int
    private let channelBlocks: Int

    /// Nil for strides or channels that the vector functions do not know.
    init?(_ task: OutputConversionTask) {
        let input = task.input
        guard task.columnStride == 1, input.channels % 8 == 0 else { return nil }
        pixelCount = input.height * input.width
        runLength = task.rowStride == input.width || input.height == 1 ? pixelCount : input.width
        channels = input.channels
        // A line of few channels has more pixels; a block stays in the second-level cache.
        let length = min(PlaneBlocks.mostPixels, max(PlaneBlocks.fewestPixels, PlaneBlocks.blockFloats / channels))
        linesPerRun = divideRoundingUp(runLength, length)
        channelBlocks = divideRoundingUp(channels * min(length, runLength), PlaneBlocks.blockFloats)
    }

    var count: Int { pixelCount / runLength * linesPerRun * channelBlocks }

    /// The pixels and the channels of a block. Neighbouring blocks have the same pixels.
    func line(of block: Int) -> (pixels: Range<Int>, channels: Range<Int>) {
        let (line, channelBlock) = block.quotientAndRemainder(dividingBy: channelBlocks)
        let (run, part) = line.quotientAndRemainder(dividingBy: linesPerRun)
        // Tiles of 16 are fastest.
        let tiles = blockRange(part, of: linesPerRun, count: divideRoundingUp(runLength, 16))
        let pixels = tiles.lowerBound * 16..<min(tiles.upperBound * 16, runLength)
        let eights = blockRange(channelBlock, of: channelBlocks, count: channels / 8)
        return (
            run * runLength + pixels.lowerBound..<run * runLength + pixels.upperBound,
            eights.lowerBound * 8..<eights.upperBound * 8
        )
    }

    private static let blockFloats = 16 * 1024
    private static let fewestPixels = 64
    private static let mostPixels = 240
}
