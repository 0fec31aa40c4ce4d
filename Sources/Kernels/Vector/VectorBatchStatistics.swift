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
            needs: { hasVectors($0) ? needs($0.input, imageCount: $0.imageCount) : KernelNeeds() },
            blockCount: { task, phase in
                hasVectors(task)
                    ? parts(task).blockCount(phase: phase)
                    : PortableBatchStatistics.blockCount(channels: task.input.channels)
            },
            runBlock: { task, phase, block, memory in
                guard hasVectors(task) else { return PortableBatchStatistics.run(task, block: block) }
                run(task, phase, block: block, shared: memory.shared, own: memory.own)
            })
    }

    /// The needs for channels that fill vectors.
    static func needs(_ input: Activation, imageCount: Int) -> KernelNeeds {
        var needs = ChannelSumParts(input, imageCount: imageCount).needs
        needs.scratchCount = input.channels * (MemoryLayout<Double>.size / MemoryLayout<Float>.size)
        return needs
    }

    /// Computes a block for channels that fill vectors. Phases and blocks are those of the parts.
    static func run(
        _ task: BatchStatisticsTask, _ phase: Int, block: Int, shared: UnsafeMutablePointer<Float>,
        own: UnsafeMutablePointer<Float>
    ) {
        if phase == 0 {
            add(task, part: block, shared, origins: UnsafeMutableRawPointer(own).assumingMemoryBound(to: Double.self))
        } else {
            finish(task, block: block, shared)
        }
    }

    /// The leaf function adds up eight channels at a time.
    private static func hasVectors(_ task: BatchStatisticsTask) -> Bool { task.input.channels % 8 == 0 }

    private static func parts(_ task: BatchStatisticsTask) -> ChannelSumParts {
        ChannelSumParts(task.input, imageCount: task.imageCount)
    }

    /// The value that is subtracted from all values of a channel: the first of them.
    private static func origin(_ task: BatchStatisticsTask, _ channel: Int) -> Double {
        let value = task.input.pixel(row: 0, column: 0)[channel]
        // Else all differences would be NaN, and with them a mean that is infinite.
        return value.isFinite ? Double(value) : 0
    }

    private static func add(
        _ task: BatchStatisticsTask, part: Int, _ shared: UnsafeMutablePointer<Float>,
        origins: UnsafeMutablePointer<Double>
    ) {
        let parts = parts(task)
        for channel in 0..<task.input.channels { origins[channel] = origin(task, channel) }
        let (sums, squares) = parts.begin(part, shared)
        for index in parts.rows[part] {
            if task.cancellation.isCancelled { return }
            let (image, row) = parts.rows.place(index)
            Instructions.addDeviations(
                task.input.pixel(image: image, row: row, column: 0), count: task.input.width,
                channels: task.input.channels, origins: origins, sums: sums, squares: squares)
        }
    }

    private static func finish(_ task: BatchStatisticsTask, block: Int, _ shared: UnsafeMutablePointer<Float>) {
        let count = Double(task.valueCount)
        parts(task).combine(block: block, shared) { channel, sum, squares in
            let mean = sum / count
            task.mean[channel] = origin(task, channel) + mean
            // NaN stays NaN.
            let variance = squares / count - mean * mean
            task.variance[channel] = variance < 0 ? 0 : variance
        }
    }
}
