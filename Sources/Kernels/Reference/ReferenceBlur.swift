// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The binomial filter in Double, rounded once.
enum ReferenceBlur {
    static var kernel: Kernel<BlurTask> {
        Kernel(
            name: "blurF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row of the output.
    private static func run(_ task: BlurTask, row: Int) {
        for column in 0..<task.output.width {
            let out = task.output.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                var sum = 0.0
                task.forEachWeight { y, rowWeight in
                    task.forEachWeight { x, columnWeight in
                        let pixel = task.input.pixel(
                            row: task.row(of: row, element: y), column: task.column(of: column, element: x))
                        sum += rowWeight * columnWeight * Double(pixel[channel])
                    }
                }
                out[channel] = Float(sum)
            }
        }
    }
}
