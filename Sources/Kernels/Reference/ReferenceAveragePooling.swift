// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Average pooling as its definition says.
enum ReferenceAveragePooling {
    static var kernel: Kernel<AveragePoolingTask> {
        Kernel(
            name: "averagePoolingF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row of the output.
    private static func run(_ task: AveragePoolingTask, row: Int) {
        let rows = task.rows(of: row)
        for column in 0..<task.output.width {
            let columns = task.columns(of: column)
            let out = task.output.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                var sum = 0.0
                for y in rows.pixels {
                    for x in columns.pixels { sum += Double(task.input.pixel(row: y, column: x)[channel]) }
                }
                out[channel] = Float(sum / Double(rows.divisor * columns.divisor))
            }
        }
    }
}
