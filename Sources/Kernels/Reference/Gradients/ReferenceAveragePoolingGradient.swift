// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of average pooling as its definition says.
enum ReferenceAveragePoolingGradient {
    static var kernel: Kernel<AveragePoolingGradientTask> {
        Kernel(
            name: "averagePoolingGradientF32_reference",
            needs: { KernelNeeds(scratchCount: GradientPlane.floatCount($0.inputGradient)) },
            blockCount: { _, _ in 1 }, runBlock: { task, _, _, memory in run(task, memory.own) })
    }

    private static func run(_ task: AveragePoolingGradientTask, _ scratch: UnsafeMutablePointer<Float>) {
        let plane = GradientPlane(task.inputGradient, scratch)
        for channel in 0..<task.inputGradient.channels {
            plane.clear()
            for row in 0..<task.outputGradient.height {
                for column in 0..<task.outputGradient.width {
                    let (rows, columns) = (task.pooling.rows(of: row), task.pooling.columns(of: column))
                    let gradient = Double(task.outputGradient.pixel(row: row, column: column)[channel])
                    let share = gradient / Double(rows.divisor * columns.divisor)
                    for y in rows.pixels {
                        for x in columns.pixels { plane.add(share, row: y, column: x) }
                    }
                }
            }
            plane.write(channel: channel, accumulates: task.accumulates)
        }
    }
}
