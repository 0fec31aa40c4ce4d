// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of max pooling, eight channels at a time: each window is searched again for its maximum.
enum PortableMaxPoolingGradient {
    static var kernel: Kernel<MaxPoolingGradientTask> {
        Kernel(
            name: "maxPoolingGradientF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func blockCount(_ task: MaxPoolingGradientTask) -> Int {
        // Both blocks search windows across their border: larger blocks have fewer of them.
        rowBlockCount(height: task.inputGradient.height, rowFloats: task.inputGradient.rowFloats / 2)
    }

    /// A block is a range of rows of the input gradient, which no other block writes.
    private static func run(_ task: MaxPoolingGradientTask, block: Int) {
        let image = task.inputGradient
        let rows = blockRange(block, of: blockCount(task), count: image.height)
        if !task.accumulates {
            for row in rows { image.pixel(row: row, column: 0).update(repeating: 0, count: image.rowFloats) }
        }
        let pooling = task.pooling
        let windows = WindowRow(
            size: pooling.kernelSize, stride: pooling.stride, padding: pooling.topPadding,
            count: task.outputGradient.height)
        for row in windows.windows(holding: rows) {
            let window = pooling.rows(of: row)
            for column in 0..<task.outputGradient.width {
                let gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: column))
                let columns = pooling.columns(of: column)
                forEachOctet(image.channels) { channel, lanes in
                    let winner = winner(pooling, window, columns, channel: channel, lanes)
                    add((gradient + channel).octet(lanes), to: winner, task, window, columns, rows, channel, lanes)
                }
            }
        }
    }

    /// The position of the winner among the pixels of a window, for each of some channels. In Float, since Swift compares
    /// vectors of integers lane by lane.
    @inline(__always)
    private static func winner(
        _ pooling: MaxPoolingTask, _ rows: Range<Int>, _ columns: Range<Int>, channel: Int, _ lanes: Int
    ) -> SIMD8<Float> {
        var best = SIMD8<Float>(repeating: -.infinity)
        var winner = SIMD8<Float>.zero
        var position: Float = 0
        for row in rows {
            var source = UnsafePointer(pooling.input.pixel(row: row, column: columns.lowerBound)) + channel
            for _ in columns {
                let value = source.octet(lanes)
                // Comparisons with NaN are false, and NaN is unequal to itself.
                let wins = (value .> best) .| (value .!= value)
                best.replace(with: value, where: wins)
                winner.replace(with: SIMD8(repeating: position), where: wins)
                position += 1
                source += pooling.input.channels
            }
        }
        return winner
    }

    /// Adds the gradient of a window to its winner, if that is in the rows of the block.
    @inline(__always)
    private static func add(
        _ gradient: SIMD8<Float>, to winner: SIMD8<Float>, _ task: MaxPoolingGradientTask, _ window: Range<Int>,
        _ columns: Range<Int>, _ rows: Range<Int>, _ channel: Int, _ lanes: Int
    ) {
        let own = window.clamped(to: rows)
        var position = Float((own.lowerBound - window.lowerBound) * columns.count)
        for row in own {
            var out = task.inputGradient.pixel(row: row, column: columns.lowerBound) + channel
            for _ in columns {
                // A product with 0 would be NaN for an infinite gradient.
                let share = SIMD8<Float>.zero.replacing(with: gradient, where: winner .== position)
                out.write(share, lanes, accumulates: true)
                position += 1
                out += task.inputGradient.channels
            }
        }
    }
}
