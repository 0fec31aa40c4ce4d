// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Average pooling, eight channels at a time.
enum PortableAveragePooling {
    static var kernel: Kernel<AveragePoolingTask> {
        Kernel(
            name: "averagePoolingF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ task: AveragePoolingTask) -> Int {
        // Reading the windows dominates the cost of a row.
        rowBlockCount(height: task.output.height, rowFloats: task.input.rowFloats * task.stride)
    }

    /// A block is a range of rows of the output.
    static func run(_ task: AveragePoolingTask, block: Int) {
        for row in blockRange(block, of: blockCount(task), count: task.output.height) {
            let rows = task.rows(of: row)
            for column in 0..<task.output.width { average(task, row: row, rows, column: column) }
        }
    }

    /// One window, with given rows.
    static func average(_ task: AveragePoolingTask, row: Int, _ rows: ClippedWindow, column: Int) {
        let columns = task.columns(of: column)
        average(
            task, rows: rows.pixels, columns: columns.pixels, divisor: Float(rows.divisor * columns.divisor),
            to: task.output.pixel(row: row, column: column))
    }

    private static func average(
        _ task: AveragePoolingTask, rows: Range<Int>, columns: Range<Int>, divisor: Float,
        to out: UnsafeMutablePointer<Float>
    ) {
        let channels = task.output.channels
        let rowStride = task.input.rowStride
        let first = UnsafePointer(task.input.pixel(row: rows.lowerBound, column: columns.lowerBound))
        var channel = 0
        while channel + 8 <= channels {
            var sum = SIMD8<Float>.zero
            for y in 0..<rows.count {
                var source = first + (y * rowStride + channel)
                for _ in 0..<columns.count {
                    sum += source.octet
                    source += channels
                }
            }
            (out + channel).store(sum / divisor)
            channel += 8
        }
        while channel < channels {
            var sum: Float = 0
            for y in 0..<rows.count {
                for x in 0..<columns.count { sum += first[y * rowStride + x * channels + channel] }
            }
            out[channel] = sum / divisor
            channel += 1
        }
    }
}
