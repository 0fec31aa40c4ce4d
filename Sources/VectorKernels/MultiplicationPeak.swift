// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Does nothing but multiply and add in registers, as fast as the core can: `steps` times twelve fused multiplications of
    /// vectors, none of which waits for another of its step. For benchmarks; nothing in the library calls it.
    ///
    /// - Returns: A number that depends on all of them.
    @inline(never)
    package static func multiplicationPeak(steps: Int, factors: UnsafePointer<Float>) -> Float {
        let x = load(factors)
        let y = load(factors + lanes)
        var sums = InlineArray<12, Vector> { _ in x }
        for _ in 0..<steps {
            for index in 0..<12 { sums[unchecked: index] = addProduct(sums[unchecked: index], x, y) }
        }
        var sum = Vector.zero
        for index in 0..<12 { sum += sums[unchecked: index] }
        return sum[0]
    }
}
