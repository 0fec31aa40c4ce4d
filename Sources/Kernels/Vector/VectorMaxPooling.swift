// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Max pooling as networks use it: windows of 3 x 3 at stride 2, eight channels at a time. Other windows, and other numbers
/// of channels, are left to the portable kernel.
enum VectorMaxPooling<Instructions: VectorInstructions> {
    static var kernel: Kernel<MaxPoolingTask> {
        Kernel(
            name: Instructions.names.maxPooling, blockCount: { task, _ in PortableMaxPooling.blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: MaxPoolingTask, block: Int) {
        let (input, output) = (task.input, task.output)
        guard task.kernelSize == 3, task.stride == 2, task.padding == 1, input.channels % 8 == 0,
            output.width == (input.width - 1) / 2 + 1
        else { return PortableMaxPooling.run(task, block: block) }
        let blocks = PortableMaxPooling.blockCount(task)
        for row in blockRange(block, of: blocks, count: output.height) {
            let rows = task.rows(of: row)
            let first = UnsafePointer(input.pixel(row: rows.lowerBound, column: 0))
            let last = UnsafePointer(input.pixel(row: rows.upperBound - 1, column: 0))
            Instructions.maxPoolingRow(
                row0: first, row1: rows.count == 3 ? first + input.rowStride : last, row2: last, width: input.width,
                channels: input.channels, out: output.pixel(row: row, column: 0), outputWidth: output.width)
        }
    }
}
