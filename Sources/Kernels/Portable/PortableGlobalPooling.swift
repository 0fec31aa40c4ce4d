// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Global pooling with sums in Double: memory limits its speed, not the conversion.
enum PortableGlobalPooling {
    static var kernel: Kernel<GlobalPoolingTask> {
        Kernel(
            name: "globalPoolingF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// Channels of a block: a cache line.
    private static let groupSize = 16

    static func blockCount(_ task: GlobalPoolingTask) -> Int {
        divideRoundingUp(task.input.channels, groupSize)
    }

    /// A block is a group of channels.
    static func run(_ task: GlobalPoolingTask, block: Int) {
        let count = Double(task.input.height * task.input.width)
        var channel = block * groupSize
        let end = min(channel + groupSize, task.input.channels)
        if end - channel == groupSize {
            var (low, high) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
            forEachPixel(of: task) { pixel in
                low += SIMD8<Double>((pixel + channel).octet)
                high += SIMD8<Double>((pixel + channel + 8).octet)
            }
            (task.output.origin + channel).store(SIMD8<Float>(low / count))
            (task.output.origin + channel + 8).store(SIMD8<Float>(high / count))
            return
        }
        while channel < end {
            var sum = 0.0
            forEachPixel(of: task) { sum += Double($0[channel]) }
            task.output.origin[channel] = Float(sum / count)
            channel += 1
        }
    }

    @inline(__always)
    private static func forEachPixel(of task: GlobalPoolingTask, _ body: (UnsafePointer<Float>) -> Void) {
        for row in 0..<task.input.height {
            var pixel = UnsafePointer(task.input.pixel(row: row, column: 0))
            for _ in 0..<task.input.width {
                body(pixel)
                pixel += task.input.channels
            }
        }
    }
}
