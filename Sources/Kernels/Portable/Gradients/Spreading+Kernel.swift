// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The only kernel for spreading, which only moves memory.
enum Spreading {
    static var kernel: Kernel<SpreadingTask> {
        Kernel(
            name: "spreadingF32", blockCount: { task, _ in blockCount(task.output) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func blockCount(_ output: Activation) -> Int {
        rowBlockCount(height: output.height + 2 * output.border, rowFloats: output.rowStride)
    }

    /// A block is a range of rows, those of the border included.
    private static func run(_ task: SpreadingTask, block: Int) {
        let output = task.output
        let (border, channels) = (output.border, output.channels)
        for index in blockRange(block, of: blockCount(output), count: output.height + 2 * border) {
            let row = index - border
            output.pixel(row: row, column: -border).update(repeating: 0, count: output.rowStride)
            let (source, rest) = row.quotientAndRemainder(dividingBy: task.stride)
            guard row >= 0 && rest == 0 && source < task.input.height else { continue }
            for column in 0..<task.input.width {
                memcpy(
                    output.pixel(row: row, column: column * task.stride), task.input.pixel(row: source, column: column),
                    channels * MemoryLayout<Float>.stride)
            }
        }
    }
}
