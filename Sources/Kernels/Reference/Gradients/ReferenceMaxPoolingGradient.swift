// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of max pooling as its definition says.
enum ReferenceMaxPoolingGradient {
    static var kernel: Kernel<MaxPoolingGradientTask> {
        Kernel(
            name: "maxPoolingGradientF32_reference",
            needs: { KernelNeeds(scratchCount: GradientPlane.floatCount($0.inputGradient)) },
            blockCount: { _, _ in 1 }, runBlock: { task, _, _, memory in run(task, memory.own) })
    }

    private static func run(_ task: MaxPoolingGradientTask, _ scratch: UnsafeMutablePointer<Float>) {
        let plane = GradientPlane(task.inputGradient, scratch)
        for channel in 0..<task.inputGradient.channels {
            plane.clear()
            for row in 0..<task.outputGradient.height {
                for column in 0..<task.outputGradient.width {
                    let winner = winner(task.pooling, row: row, column: column, channel: channel)
                    let gradient = task.outputGradient.pixel(row: row, column: column)[channel]
                    plane.add(Double(gradient), row: winner.row, column: winner.column)
                }
            }
            plane.write(channel: channel, accumulates: task.accumulates)
        }
    }

    /// The pixel whose value is the result of a window. The first pixel wins if all are minus infinity.
    private static func winner(
        _ pooling: MaxPoolingTask, row: Int, column: Int, channel: Int
    ) -> (row: Int, column: Int) {
        let rows = pooling.rows(of: row)
        let columns = pooling.columns(of: column)
        var winner = (row: rows.lowerBound, column: columns.lowerBound)
        var best = -Float.infinity
        for y in rows {
            for x in columns {
                let value = pooling.input.pixel(row: y, column: x)[channel]
                guard value > best || value.isNaN else { continue }
                best = value
                winner = (y, x)
            }
        }
        return winner
    }
}
