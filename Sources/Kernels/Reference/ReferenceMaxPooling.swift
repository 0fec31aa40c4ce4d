// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Max pooling as its definition says.
enum ReferenceMaxPooling {
    static var kernel: Kernel<MaxPoolingTask> {
        Kernel(
            name: "maxPoolingF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row of the output.
    private static func run(_ task: MaxPoolingTask, row: Int) {
        for column in 0..<task.output.width {
            let out = task.output.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                var best = -Float.infinity
                for y in task.rows(of: row) {
                    for x in task.columns(of: column) {
                        let value = task.input.pixel(row: y, column: x)[channel]
                        if value > best || value.isNaN { best = value }
                    }
                }
                out[channel] = best
            }
        }
    }
}
