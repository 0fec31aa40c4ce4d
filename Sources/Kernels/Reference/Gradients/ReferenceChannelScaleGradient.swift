// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a scale for each channel in Double, each rounded once.
enum ReferenceChannelScaleGradient {
    static var kernel: Kernel<ChannelScaleGradientTask> {
        Kernel(
            name: "channelScaleGradientF32_reference", blockCount: { _, _ in 1 },
            runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: ChannelScaleGradientTask) {
        for channel in 0..<task.input.channels {
            var sum = 0.0
            for row in 0..<task.input.height {
                for column in 0..<task.input.width {
                    let gradient = Double(task.outputGradient.pixel(row: row, column: column)[channel])
                    sum += gradient * Double(task.input.pixel(row: row, column: column)[channel])
                    let out = task.inputGradient.pixel(row: row, column: column) + channel
                    writeGradient(gradient * Double(task.scale[channel]), to: out, accumulates: task.accumulates)
                }
            }
            task.scaleGradient[channel] = Float(sum)
        }
    }
}
