// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of GroupNorm in Double, each rounded once.
enum ReferenceGroupNormalizationGradient {
    static var kernel: Kernel<GroupNormalizationGradientTask> {
        Kernel(
            name: "groupNormalizationGradientF32_reference", blockCount: { _, _ in 1 },
            runBlock: { task, _, _, _ in
                for group in 0..<task.groups { run(task, group: group) }
            })
    }

    private static func run(_ task: GroupNormalizationGradientTask, group: Int) {
        let channels = (group * task.groupSize)..<((group + 1) * task.groupSize)
        let mean = average(of: task, channels) { _, value, _ in value }
        let variance = average(of: task, channels) { _, value, _ in (value - mean) * (value - mean) }
        let deviation = (variance + task.epsilon).squareRoot()
        let meanOfGradient = average(of: task, channels) { channel, _, gradient in
            gradient * Double(task.weight[channel])
        }
        let meanOfProduct = average(of: task, channels) { channel, value, gradient in
            gradient * Double(task.weight[channel]) * (value - mean) / deviation
        }
        forEachPixel(of: task) { row, column in
            let input = task.input.pixel(row: row, column: column)
            let outputGradient = task.outputGradient.pixel(row: row, column: column)
            let out = task.inputGradient.pixel(row: row, column: column)
            for channel in channels {
                let normalized = (Double(input[channel]) - mean) / deviation
                let gradient = Double(outputGradient[channel])
                task.weightGradient[channel] += gradient * normalized
                task.biasGradient[channel] += gradient
                let scaled = gradient * Double(task.weight[channel])
                writeGradient(
                    (scaled - meanOfGradient - normalized * meanOfProduct) / deviation, to: out + channel,
                    accumulates: task.accumulates)
            }
        }
    }

    @inline(__always)
    private static func average(
        of task: GroupNormalizationGradientTask, _ channels: Range<Int>,
        term: (_ channel: Int, _ value: Double, _ gradient: Double) -> Double
    ) -> Double {
        var sum = 0.0
        forEachPixel(of: task) { row, column in
            let input = task.input.pixel(row: row, column: column)
            let gradient = task.outputGradient.pixel(row: row, column: column)
            for channel in channels { sum += term(channel, Double(input[channel]), Double(gradient[channel])) }
        }
        return sum / Double(task.input.height * task.input.width * channels.count)
    }

    @inline(__always)
    private static func forEachPixel(
        of task: GroupNormalizationGradientTask, _ body: (_ row: Int, _ column: Int) -> Void
    ) {
        for row in 0..<task.input.height {
            for column in 0..<task.input.width { body(row, column) }
        }
    }
}
