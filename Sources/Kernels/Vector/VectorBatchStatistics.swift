// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of a batch in one pass over its memory: sums of the differences from the first pixel and of their squares,
/// part by part. What cancels is small: the square of the distance between the mean and a value of the batch itself.
///
/// Channels that fill no vectors are left to the portable kernel.
enum VectorBatchStatistics<Instructions: VectorInstructions> {
    static var kernel: Kernel<BatchStatisticsTask> {
        Kernel(
            name: Instructions.names.batchStatistics,
            needs: { hasVectors($0) ? parts($0).needs : KernelNeeds() },
            blockCount: { task, phase in
                hasVectors(task)
                    ? parts(task).blockCount(phase: phase)
                    : PortableBatchStatistics.blockCount(channels: task.input.channels)
            },
            runBlock: { task, phase, block, memory in
                guard hasVectors(task) else { return PortableBatchStatistics.run(task, block: block) }
                run(task, phase, block: block, memory.shared)
            })
    }

    /// For channels that fill vectors. Phases and blocks are those of the parts.
    static func run(
        _ task: BatchStatisticsTask, _ phase: Int, block: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        if phase == 0 { add(task, part: block, shared) } else { finish(task, block: block, shared) }
    }

    /// The leaf function adds up eight channels at a time.
    private static func hasVectors(_ task: BatchStatisticsTask) -> Bool { task.input.channels % 8 == 0 }

    private static func parts(_ task: BatchStatisticsTask) -> ChannelSumParts {
        ChannelSumParts(task.input, imageCount: task.imageCount)
    }

    private static func add(_ task: BatchStatisticsTask, part: Int, _ shared: UnsafeMutablePointer<Float>) {
        let parts = parts(task)
        let (sums, squares) = parts.begin(part, shared)
        for index in parts.rows[part] {
            if task.cancellation.isCancelled { return }
            let (image, row) = parts.rows.place(index)
            Instructions.addDeviations(
                task.input.pixel(image: image, row: row, column: 0), count: task.input.width,
                channels: task.input.channels, origins: task.input.pixel(row: 0, column: 0), sums: sums,
                squares: squares)
        }
    }

    private static func finish(_ task: BatchStatisticsTask, block: Int, _ shared: UnsafeMutablePointer<Float>) {
        let origins = task.input.pixel(row: 0, column: 0)
        let count = Double(task.valueCount)
        parts(task).combine(block: block, shared) { channel, sum, squares in
            // As in the leaf function.
            let origin = origins[channel].isFinite ? Double(origins[channel]) : 0
            let mean = sum / count
            task.mean[channel] = origin + mean
            // NaN stays NaN.
            let variance = squares / count - mean * mean
            task.variance[channel] = variance < 0 ? 0 : variance
        }
    }
}
