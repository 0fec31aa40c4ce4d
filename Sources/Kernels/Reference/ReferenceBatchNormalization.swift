// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The statistics of a batch in two passes.
enum ReferenceBatchStatistics {
    static var kernel: Kernel<BatchStatisticsTask> {
        Kernel(
            name: "batchStatisticsF32_reference", blockCount: { task, _ in task.input.channels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is a channel.
    private static func run(_ task: BatchStatisticsTask, channel: Int) {
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
    static var kernel: Kernel<BatchNormalizationTask> {
        Kernel(
            name: "batchNormalizationF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row.
    private static func run(_ task: BatchNormalizationTask, row: Int) {
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
