// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sums of squares, eight values at a time.
enum PortableSquaredSums {
    static var kernel: Kernel<SquaredSumsTask> {
        Kernel(
            name: "squaredSumsF32_portable", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: SquaredSumsTask, block: Int) {
        let values = task.part(block)
        var sums = SquaredSumsTask.PartialSums(repeating: 0)
        let whole = values.count - values.count % sums.count
        if let start = values.baseAddress {
            var (sum0, sum1, sum2, sum3) = (
                SIMD8<Double>.zero, SIMD8<Double>.zero, SIMD8<Double>.zero, SIMD8<Double>.zero
            )
            for index in stride(from: 0, to: whole, by: 32) {
                add(&sum0, start + index)
                add(&sum1, start + index + 8)
                add(&sum2, start + index + 16)
                add(&sum3, start + index + 24)
            }
            for lane in 0..<8 {
                sums[lane] = sum0[lane]
                sums[lane + 8] = sum1[lane]
                sums[lane + 16] = sum2[lane]
                sums[lane + 24] = sum3[lane]
            }
        }
        task.finish(block, sums, rest: UnsafeBufferPointer(rebasing: values[whole...]))
    }

    @inline(__always)
    private static func add(_ sum: inout SIMD8<Double>, _ values: UnsafePointer<Float>) {
        let values = SIMD8<Double>(values.octet)
        sum += values * values
    }
}
