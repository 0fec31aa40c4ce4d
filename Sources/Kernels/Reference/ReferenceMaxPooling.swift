// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Max pooling as its definition says.
enum ReferenceMaxPooling {
    static var kernel: BlockKernel<MaxPoolingTask> {
        BlockKernel(
            name: "maxPoolingF32_reference", blockCount: { max($0.output.height, 1) }, scratchCount: { _ in 0 },
            run: run)
    }

    /// A block is a row of the output.
    static func run(task: MaxPoolingTask, block row: Int, scratch: UnsafeMutablePointer<Float>) {
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
