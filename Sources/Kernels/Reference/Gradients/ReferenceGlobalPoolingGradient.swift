// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of global pooling as its definition says.
enum ReferenceGlobalPoolingGradient {
    static var kernel: Kernel<GlobalPoolingGradientTask> {
        Kernel(
            name: "globalPoolingGradientF32_reference", blockCount: { _, _ in 1 },
            runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: GlobalPoolingGradientTask) {
        let image = task.inputGradient
        for row in 0..<image.height {
            for column in 0..<image.width {
                for channel in 0..<image.channels {
                    let share = Double(task.outputGradient.origin[channel]) / Double(image.height * image.width)
                    let out = image.pixel(row: row, column: column) + channel
                    writeGradient(share, to: out, accumulates: task.accumulates)
                }
            }
        }
    }
}
