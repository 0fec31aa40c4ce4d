// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// GroupNorm in Double, rounded once.
enum ReferenceGroupNormalization {
    static var kernel: Kernel<GroupNormalizationTask> {
        Kernel(
            name: "groupNormalizationF32_reference", blockCount: { task, _ in task.groups },
            runBlock: { task, _, block, _ in run(task, group: block) })
    }

    /// A block is a group.
    private static func run(_ task: GroupNormalizationTask, group: Int) {
        let channels = (group * task.groupSize)..<((group + 1) * task.groupSize)
        let mean = average(of: task, channels: channels) { $0 }
        let variance = average(of: task, channels: channels) { ($0 - mean) * ($0 - mean) }
        for row in 0..<task.output.height {
            for column in 0..<task.output.width {
                let pixel = task.input.pixel(row: row, column: column)
                let out = task.output.pixel(row: row, column: column)
                let residual = task.residual?.pixel(row: row, column: column)
                for channel in channels {
                    var value = (Double(pixel[channel]) - mean) / (variance + task.epsilon).squareRoot()
                    value = value * Double(task.weight[channel]) + Double(task.bias[channel])
                    if let residual { value += Double(residual[channel]) }
                    out[channel] = task.relu ? relu(Float(value)) : Float(value)
                }
            }
        }
    }

    @inline(__always)
    private static func average(
        of task: GroupNormalizationTask, channels: Range<Int>, term: (Double) -> Double
    ) -> Double {
        var sum = 0.0
        for row in 0..<task.input.height {
            for column in 0..<task.input.width {
                let pixel = task.input.pixel(row: row, column: column)
                for channel in channels { sum += term(Double(pixel[channel])) }
            }
        }
        return sum / Double(task.input.height * task.input.width * channels.count)
    }
}
