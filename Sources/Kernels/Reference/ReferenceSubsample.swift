// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Subsampling as its definition says.
enum ReferenceSubsample {
    static var kernel: Kernel<SubsampleTask> {
        Kernel(
            name: "subsampleF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row of the output.
    private static func run(_ task: SubsampleTask, row: Int) {
        for column in 0..<task.output.width {
            let pixel = task.input.pixel(row: row * task.stride, column: column * task.stride)
            let out = task.output.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                let source = channel - task.firstChannel
                out[channel] = 0..<task.input.channels ~= source ? pixel[source] : 0
            }
        }
    }
}
