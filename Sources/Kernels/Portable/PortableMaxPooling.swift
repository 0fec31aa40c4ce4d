// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Max pooling, eight channels at a time.
enum PortableMaxPooling {
    static var kernel: Kernel<MaxPoolingTask> {
        Kernel(
            name: "maxPoolingF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ task: MaxPoolingTask) -> Int {
        // Reading the windows dominates the cost of a row.
        rowBlockCount(height: task.output.height, rowFloats: task.input.rowFloats * task.stride)
    }

    /// A block is a range of rows of the output.
    static func run(_ task: MaxPoolingTask, block: Int) {
        for row in blockRange(block, of: blockCount(task), count: task.output.height) {
            let rows = task.rows(of: row)
            for column in 0..<task.output.width {
                let out = task.output.pixel(row: row, column: column)
                pool(task, rows: rows, columns: task.columns(of: column), to: out)
            }
        }
    }

    /// One window.
    private static func pool(
        _ task: MaxPoolingTask, rows: Range<Int>, columns: Range<Int>, to out: UnsafeMutablePointer<Float>
    ) {
        let channels = task.output.channels
        let rowStride = task.input.rowStride
        let first = UnsafePointer(task.input.pixel(row: rows.lowerBound, column: columns.lowerBound))
        var channel = 0
        while channel + 8 <= channels {
            var best = SIMD8<Float>(repeating: -.infinity)
            for y in 0..<rows.count {
                var source = first + (y * rowStride + channel)
                for _ in 0..<columns.count {
                    let value = UnsafeRawPointer(source).loadUnaligned(as: SIMD8<Float>.self)
                    // Comparisons with NaN are false, and NaN is unequal to itself.
                    best.replace(with: value, where: (value .> best) .| (value .!= value))
                    source += channels
                }
            }
            UnsafeMutableRawPointer(out + channel).storeBytes(of: best, as: SIMD8<Float>.self)
            channel += 8
        }
        while channel < channels {
            var best = -Float.infinity
            for y in 0..<rows.count {
                for x in 0..<columns.count {
                    let value = first[y * rowStride + x * channels + channel]
                    if value > best || value.isNaN { best = value }
                }
            }
            out[channel] = best
            channel += 1
        }
    }
}
