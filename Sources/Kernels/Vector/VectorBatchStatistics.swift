// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of a batch in two passes over groups of channels. Channels that fill no vectors are left to the portable
/// kernel.
enum VectorBatchStatistics<Instructions: VectorInstructions> {
    static var kernel: Kernel<BatchStatisticsTask> {
        Kernel(
            name: Instructions.names.batchStatistics, blockCount: { task, _ in blockCount(task.input.channels) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ channels: Int) -> Int {
        let blocks = ChannelBlocks(channels: channels)
        return blocks.haveVectors ? blocks.count : PortableBatchStatistics.blockCount(channels: channels)
    }

    static func run(_ task: BatchStatisticsTask, block: Int) {
        let blocks = ChannelBlocks(channels: task.input.channels)
        guard blocks.haveVectors else { return PortableBatchStatistics.run(task, block: block) }
        let channels = blocks[block]
        let (first, count) = (channels.lowerBound, channels.count)
        average(task, first, count, to: task.mean + first) { pixels, sums in
            Instructions.addPixels(
                pixels, count: task.input.width, stride: task.input.channels, channels: count, sums: sums)
        }
        average(task, first, count, to: task.variance + first) { pixels, sums in
            Instructions.addSquaredDeviations(
                pixels, count: task.input.width, stride: task.input.channels, channels: count, means: task.mean + first,
                sums: sums)
        }
    }

    /// The mean of what `add` adds row by row.
    @inline(__always)
    private static func average(
        _ task: BatchStatisticsTask, _ first: Int, _ count: Int, to sums: UnsafeMutablePointer<Double>,
        _ add: (_ pixels: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Double>) -> Void
    ) {
        sums.update(repeating: 0, count: count)
        for image in 0..<task.imageCount {
            for row in 0..<task.input.height {
                if task.cancellation.isCancelled { return }
                add(UnsafePointer(task.input.pixel(image: image, row: row, column: 0)) + first, sums)
            }
        }
        for channel in 0..<count { sums[channel] /= Double(task.valueCount) }
    }
}
