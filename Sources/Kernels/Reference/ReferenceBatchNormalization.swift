// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The statistics of a batch in two passes.
enum ReferenceBatchStatistics {
    static var kernel: BlockKernel<BatchStatisticsTask> {
        BlockKernel(
            name: "batchStatisticsF32_reference", blockCount: { $0.input.channels }, scratchCount: { _ in 0 }, run: run)
    }

    /// A block is a channel.
    static func run(task: BatchStatisticsTask, block channel: Int, scratch: UnsafeMutablePointer<Float>) {
        let mean = average(of: task, channel: channel) { $0 }
        task.mean[channel] = mean
        task.variance[channel] = average(of: task, channel: channel) { ($0 - mean) * ($0 - mean) }
    }

    @inline(__always)
    private static func average(of task: BatchStatisticsTask, channel: Int, term: (Double) -> Double) -> Double {
        var sum = 0.0
        for image in 0..<task.imageCount {
            for row in 0..<task.input.height {
                for column in 0..<task.input.width {
                    let pixel = task.input.pixel(image: image, row: row, column: column)
                    sum += term(Double(pixel[channel]))
                }
            }
        }
        return sum / Double(task.valueCount)
    }
}

/// BatchNorm in Double, rounded once.
enum ReferenceBatchNormalization {
    static var kernel: BlockKernel<BatchNormalizationTask> {
        BlockKernel(
            name: "batchNormalizationF32_reference", blockCount: { max($0.output.height, 1) }, scratchCount: { _ in 0 },
            run: run)
    }

    /// A block is a row.
    static func run(task: BatchNormalizationTask, block row: Int, scratch: UnsafeMutablePointer<Float>) {
        for column in 0..<task.output.width {
            let pixel = task.input.pixel(row: row, column: column)
            let out = task.output.pixel(row: row, column: column)
            let residual = task.residual?.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                let deviation = Double(pixel[channel]) - task.mean[channel]
                var value = deviation / (task.variance[channel] + task.epsilon).squareRoot()
                value = value * Double(task.weight[channel]) + Double(task.bias[channel])
                if let residual { value += Double(residual[channel]) }
                out[channel] = task.relu ? relu(Float(value)) : Float(value)
            }
        }
    }
}
