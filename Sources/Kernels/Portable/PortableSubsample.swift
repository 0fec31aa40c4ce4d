// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Subsampling, a pixel at a time.
enum PortableSubsample {
    static var kernel: Kernel<SubsampleTask> {
        Kernel(
            name: "subsampleF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func blockCount(_ task: SubsampleTask) -> Int {
        rowBlockCount(height: task.output.height, rowFloats: task.output.rowFloats)
    }

    /// A block is a range of rows of the output.
    private static func run(_ task: SubsampleTask, block: Int) {
        let channels = task.input.channels
        let before = task.firstChannel
        let after = task.output.channels - channels - before
        for row in blockRange(block, of: blockCount(task), count: task.output.height) {
            for column in 0..<task.output.width {
                let out = task.output.pixel(row: row, column: column)
                out.update(repeating: 0, count: before)
                (out + before).update(
                    from: task.input.pixel(row: row * task.stride, column: column * task.stride), count: channels)
                (out + before + channels).update(repeating: 0, count: after)
            }
        }
    }
}
