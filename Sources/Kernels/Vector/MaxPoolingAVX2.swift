// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import KernelsAVX2

/// Max pooling as networks use it: windows of 3 x 3 at stride 2. Other windows, and channels that do not fill vectors, are
/// left to the portable kernel.
enum MaxPoolingAVX2 {
    static var kernel: BlockKernel<MaxPoolingTask> {
        BlockKernel(
            name: "maxPoolingF32_avx2", blockCount: PortableMaxPooling.blockCount, scratchCount: { _ in 0 }, run: run)
    }

    private static func run(task: MaxPoolingTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let (input, output) = (task.input, task.output)
        guard task.kernelSize == 3, task.stride == 2, task.padding == 1, input.channels % AVX2.lanes == 0,
            output.width == (input.width - 1) / 2 + 1
        else { return PortableMaxPooling.run(task: task, block: block, scratch: scratch) }
        let blocks = PortableMaxPooling.blockCount(task: task)
        for row in blockRange(block, of: blocks, count: output.height) {
            let rows = task.rows(of: row)
            let first = UnsafePointer(input.pixel(row: rows.lowerBound, column: 0))
            let last = UnsafePointer(input.pixel(row: rows.upperBound - 1, column: 0))
            maxPoolingRow(
                row0: first, row1: rows.count == 3 ? first + input.rowStride : last, row2: last, width: input.width,
                channels: input.channels, out: output.pixel(row: row, column: 0), outputWidth: output.width)
        }
    }
}
