// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of a batch in two passes over groups of channels, which no two threads share.
enum PortableBatchStatistics {
    static var kernel: BlockKernel<BatchStatisticsTask> {
        BlockKernel(name: "batchStatisticsF32_portable", blockCount: blockCount, scratchCount: { _ in 0 }, run: run)
    }

    /// Channels of a block: a cache line.
    private static let groupSize = 16

    static func blockCount(task: BatchStatisticsTask) -> Int {
        divideRoundingUp(task.input.channels, groupSize)
    }

    /// A block is a group of channels. The second pass sums squares of differences from the mean: the difference of two
    /// sums in one pass would cancel where the mean is large.
    static func run(task: BatchStatisticsTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let first = block * groupSize
        let channels = min(groupSize, task.input.channels - first)
        let mean = task.mean + first
        let variance = task.variance + first
        let count = Double(task.valueCount)

        mean.update(repeating: 0, count: channels)
        forEachPixel(of: task) { pixel in
            let values = pixel + first
            for channel in 0..<channels { mean[channel] += Double(values[channel]) }
        }
        for channel in 0..<channels { mean[channel] /= count }

        variance.update(repeating: 0, count: channels)
        forEachPixel(of: task) { pixel in
            let values = pixel + first
            for channel in 0..<channels {
                let deviation = Double(values[channel]) - mean[channel]
                variance[channel] += deviation * deviation
            }
        }
        for channel in 0..<channels { variance[channel] /= count }
    }

    @inline(__always)
    private static func forEachPixel(of task: BatchStatisticsTask, _ body: (UnsafePointer<Float>) -> Void) {
        for image in 0..<task.imageCount {
            for row in 0..<task.input.height {
                if task.cancellation.isCancelled { return }
                var pixel = UnsafePointer(task.input.pixel(image: image, row: row, column: 0))
                for _ in 0..<task.input.width {
                    body(pixel)
                    pixel += task.input.channels
                }
            }
        }
    }
}

/// BatchNorm in Float, with a factor per channel that is computed in Double.
enum PortableBatchNormalization {
    static var kernel: BlockKernel<BatchNormalizationTask> {
        BlockKernel(
            name: "batchNormalizationF32_portable", blockCount: blockCount,
            scratchCount: { 2 * $0.output.channels }, run: run)
    }

    static func blockCount(task: BatchNormalizationTask) -> Int {
        rowBlockCount(height: task.output.height, rowFloats: task.output.rowFloats)
    }

    /// A block is a range of rows.
    static func run(task: BatchNormalizationTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let channels = task.output.channels
        let mean = scratch
        let factor = scratch + channels
        for channel in 0..<channels {
            mean[channel] = Float(task.mean[channel])
            factor[channel] = Float(
                Double(task.weight[channel]) / (task.variance[channel] + task.epsilon).squareRoot())
        }
        for row in blockRange(block, of: blockCount(task: task), count: task.output.height) {
            for column in 0..<task.output.width {
                let pixel = task.input.pixel(row: row, column: column)
                let out = task.output.pixel(row: row, column: column)
                if let residual = task.residual?.pixel(row: row, column: column) {
                    for channel in 0..<channels {
                        let value =
                            (pixel[channel] - mean[channel]) * factor[channel] + task.bias[channel] + residual[channel]
                        out[channel] = task.relu ? relu(value) : value
                    }
                } else {
                    for channel in 0..<channels {
                        let value = (pixel[channel] - mean[channel]) * factor[channel] + task.bias[channel]
                        out[channel] = task.relu ? relu(value) : value
                    }
                }
            }
        }
    }
}
