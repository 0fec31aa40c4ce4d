// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a scale for each channel, with sums in Double over groups of channels, which no two threads share.
enum PortableChannelScaleGradient {
    static var kernel: Kernel<ChannelScaleGradientTask> {
        Kernel(
            name: "channelScaleGradientF32_portable",
            blockCount: { task, _ in divideRoundingUp(task.input.channels, groupSize) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// Channels of a block: a cache line.
    private static let groupSize = 16

    /// A block is a group of channels.
    private static func run(_ task: ChannelScaleGradientTask, block: Int) {
        let channels = min(groupSize, task.input.channels - block * groupSize)
        let lowLanes = min(channels, 8)
        let (low, high) = (block * groupSize, block * groupSize + 8)
        let lowScale = (task.scale + low).octet(lowLanes)
        let highScale = channels > 8 ? (task.scale + high).octet(channels - 8) : .zero
        var (lowSum, highSum) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        for row in 0..<task.input.height {
            for column in 0..<task.input.width {
                let input = UnsafePointer(task.input.pixel(row: row, column: column))
                let gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: column))
                let out = task.inputGradient.pixel(row: row, column: column)
                // All reads of a value precede its write: the gradients may be in the same memory.
                lowSum += pass(
                    input + low, gradient + low, lowScale, to: out + low, lowLanes, accumulates: task.accumulates)
                if channels > 8 {
                    highSum += pass(
                        input + high, gradient + high, highScale, to: out + high, channels - 8,
                        accumulates: task.accumulates)
                }
            }
        }
        (task.scaleGradient + low).store(SIMD8<Float>(lowSum), lowLanes)
        if channels > 8 { (task.scaleGradient + high).store(SIMD8<Float>(highSum), channels - 8) }
    }

    /// Computes the input gradient of some channels of a pixel. Returns the terms of the scale gradient.
    @inline(__always)
    private static func pass(
        _ input: UnsafePointer<Float>, _ gradient: UnsafePointer<Float>, _ scale: SIMD8<Float>,
        to out: UnsafeMutablePointer<Float>, _ lanes: Int, accumulates: Bool
    ) -> SIMD8<Double> {
        let values = gradient.octet(lanes)
        let terms = SIMD8<Double>(values) * SIMD8<Double>(input.octet(lanes))
        out.write(values * scale, lanes, accumulates: accumulates)
        return terms
    }
}
