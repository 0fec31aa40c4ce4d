// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Does nothing but multiply and add in registers, as fast as the core can: `steps` times twelve fused multiplications of
/// vectors, none of which waits for another of its step. For benchmarks; nothing in the library calls it.
///
/// - Returns: A number that depends on all of them.
@inline(never)
package func multiplicationPeak(steps: Int, factors: UnsafePointer<Float>) -> Float {
    let x = load(factors)
    let y = load(factors + lanes)
    var sums = Sums(x, y)
    for _ in 0..<steps {
        sums.row00 = sums.row00.addingProduct(x, y)
        sums.row01 = sums.row01.addingProduct(x, y)
        sums.row10 = sums.row10.addingProduct(x, y)
        sums.row11 = sums.row11.addingProduct(x, y)
        sums.row20 = sums.row20.addingProduct(x, y)
        sums.row21 = sums.row21.addingProduct(x, y)
        sums.row30 = sums.row30.addingProduct(x, y)
        sums.row31 = sums.row31.addingProduct(x, y)
        sums.row40 = sums.row40.addingProduct(x, y)
        sums.row41 = sums.row41.addingProduct(x, y)
        sums.row50 = sums.row50.addingProduct(x, y)
        sums.row51 = sums.row51.addingProduct(x, y)
    }
    let left = sums.row00 + sums.row10 + sums.row20 + sums.row30 + sums.row40 + sums.row50
    let right = sums.row01 + sums.row11 + sums.row21 + sums.row31 + sums.row41 + sums.row51
    return left[0] + right[7]
}
