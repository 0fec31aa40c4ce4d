// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Average pooling as networks use it: windows of 2 x 2 at stride 2. Other windows, those that the edge clips, and channels
/// that fill no vectors are left to the portable kernel.
enum VectorAveragePooling<Instructions: VectorInstructions> {
    static var kernel: Kernel<AveragePoolingTask> {
        Kernel(
            name: Instructions.names.averagePooling, blockCount: { task, _ in PortableAveragePooling.blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: AveragePoolingTask, block: Int) {
        let (input, output) = (task.input, task.output)
        guard task.size == 2, task.stride == 2, task.padding == 0, input.channels % Instructions.lanes == 0 else {
            return PortableAveragePooling.run(task, block: block)
        }
        for row in blockRange(block, of: PortableAveragePooling.blockCount(task), count: output.height) {
            let rows = task.rows(of: row)
            let whole = rows.pixels.count == 2 ? min(output.width, input.width / 2) : 0
            if whole > 0 {
                let first = UnsafePointer(input.pixel(row: rows.pixels.lowerBound, column: 0))
                Instructions.averagePoolingRow(
                    row0: first, row1: first + input.rowStride, channels: input.channels,
                    out: output.pixel(row: row, column: 0), outputWidth: whole)
            }
            for column in whole..<output.width { PortableAveragePooling.average(task, row: row, rows, column: column) }
        }
    }
}
