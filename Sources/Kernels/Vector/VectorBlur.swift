// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The binomial filter as networks use it: 3 x 3 with one pixel of padding. Others, and channels that fill no vectors, are
/// left to the portable kernel.
enum VectorBlur<Instructions: VectorInstructions> {
    static var kernel: Kernel<BlurTask> {
        Kernel(
            name: Instructions.names.blur,
            needs: { hasVectors($0) ? KernelNeeds() : PortableBlur.needs($0) },
            blockCount: { task, _ in PortableBlur.blockCount(task) },
            runBlock: { task, _, block, memory in
                if hasVectors(task) {
                    run(task, block: block)
                } else {
                    PortableBlur.run(task, block: block, scratch: memory.own)
                }
            })
    }

    private static func hasVectors(_ task: BlurTask) -> Bool {
        task.size == 3 && task.stride <= 2 && task.padding == 1 && task.input.channels % Instructions.lanes == 0
    }

    /// A block is a range of rows of the output.
    private static func run(_ task: BlurTask, block: Int) {
        func source(_ row: Int, _ element: Int) -> UnsafePointer<Float> {
            UnsafePointer(task.input.pixel(row: task.row(of: row, element: element), column: 0))
        }
        for row in blockRange(block, of: PortableBlur.blockCount(task), count: task.output.height) {
            Instructions.blurRow(
                row0: source(row, 0), row1: source(row, 1), row2: source(row, 2), width: task.input.width,
                channels: task.input.channels, stride: task.stride, out: task.output.pixel(row: row, column: 0),
                outputWidth: task.output.width)
        }
    }
}
