// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of average pooling, eight channels at a time: each pixel collects from the windows that hold it.
enum PortableAveragePoolingGradient {
    static var kernel: Kernel<AveragePoolingGradientTask> {
        Kernel(
            name: "averagePoolingGradientF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func blockCount(_ task: AveragePoolingGradientTask) -> Int {
        rowBlockCount(height: task.inputGradient.height, rowFloats: task.inputGradient.rowFloats)
    }

    /// A block is a range of rows of the input gradient.
    private static func run(_ task: AveragePoolingGradientTask, block: Int) {
        let (image, pooling) = (task.inputGradient, task.pooling)
        let vertical = WindowRow(
            size: pooling.size, stride: pooling.stride, padding: pooling.topPadding, count: task.outputGradient.height)
        let horizontal = WindowRow(
            size: pooling.size, stride: pooling.stride, padding: pooling.padding, count: task.outputGradient.width)
        for row in blockRange(block, of: blockCount(task), count: image.height) {
            let rows = vertical.windows(holding: row)
            for column in 0..<image.width {
                collect(
                    task, rows, horizontal.windows(holding: column), to: image.pixel(row: row, column: column))
            }
        }
    }

    /// One pixel: the first window replaces the values in memory, unless the task adds.
    private static func collect(
        _ task: AveragePoolingGradientTask, _ rows: Range<Int>, _ columns: Range<Int>,
        to out: UnsafeMutablePointer<Float>
    ) {
        var accumulates = task.accumulates
        for row in rows {
            let height = task.pooling.rows(of: row).divisor
            for column in columns {
                let gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: column))
                let divisor = Float(height * task.pooling.columns(of: column).divisor)
                forEachOctet(task.inputGradient.channels) { channel, lanes in
                    (out + channel).write(
                        (gradient + channel).octet(lanes) / divisor, lanes, accumulates: accumulates)
                }
                accumulates = true
            }
        }
        if !accumulates { out.update(repeating: 0, count: task.inputGradient.channels) }
    }
}
