// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Output conversion in blocks of rows, or of pixels if the rows are contiguous on both sides.
enum PortableOutputConversion {
    static var kernel: Kernel<OutputConversionTask> {
        Kernel(
            name: "outputConversion_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ task: OutputConversionTask) -> Int { Lines(task).blockCount }

    static func run(_ task: OutputConversionTask, block: Int) {
        let lines = Lines(task)
        let channels = task.input.channels
        for line in lines.lines(of: block) {
            let source = UnsafePointer(task.input.origin + line * lines.sourceStride)
            let destination = task.destination + line * lines.destinationStride
            let pixels = min(lines.length, lines.pixelCount - line * lines.length)
            if task.channelStride == 1, task.columnStride == channels {
                destination.update(from: source, count: pixels * channels)
            } else {
                copyTransposed(
                    from: StridedMatrix(start: source, rowStride: channels, columnStride: 1),
                    to: StridedMatrix(
                        start: destination, rowStride: task.columnStride, columnStride: task.channelStride),
                    rows: pixels, columns: channels)
            }
        }
    }

    /// An image as lines of pixels: its rows, or stretches of a fixed length (the last may be shorter) where it has no
    /// gaps.
    private struct Lines {
        let pixelCount: Int
        let length: Int
        let sourceStride: Int
        let destinationStride: Int
        private let count: Int
        private let channels: Int

        /// Long enough for writes of whole cache lines, short enough to cut small images into several blocks.
        private static let stretch = 64

        init(_ task: OutputConversionTask) {
            let input = task.input
            channels = input.channels
            pixelCount = input.height * input.width
            let isGapless = input.border == 0 && task.rowStride == input.width * task.columnStride
            length = isGapless ? Lines.stretch : max(input.width, 1)
            sourceStride = isGapless ? length * channels : input.rowStride
            destinationStride = isGapless ? length * task.columnStride : task.rowStride
            count = isGapless ? divideRoundingUp(pixelCount, length) : input.height
        }

        var blockCount: Int { rowBlockCount(height: count, rowFloats: length * channels) }

        func lines(of block: Int) -> Range<Int> { blockRange(block, of: blockCount, count: count) }
    }
}
