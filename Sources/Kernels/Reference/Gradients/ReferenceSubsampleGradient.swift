// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of subsampling as its definition says.
enum ReferenceSubsampleGradient {
    static var kernel: Kernel<SubsampleGradientTask> {
        Kernel(
            name: "subsampleGradientF32_reference", blockCount: { _, _ in 1 },
            runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: SubsampleGradientTask) {
        let (image, stride) = (task.inputGradient, task.subsampling.stride)
        for row in 0..<image.height {
            for column in 0..<image.width {
                let wasCopied = row % stride == 0 && column % stride == 0
                for channel in 0..<image.channels {
                    let out = image.pixel(row: row, column: column) + channel
                    var gradient = 0.0
                    if wasCopied {
                        let source = task.outputGradient.pixel(row: row / stride, column: column / stride)
                        gradient = Double(source[task.subsampling.firstChannel + channel])
                    }
                    writeGradient(gradient, to: out, accumulates: task.accumulates)
                }
            }
        }
    }
}
