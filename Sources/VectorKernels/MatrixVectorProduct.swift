// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// `matrix * vector + addend`. `columns` is a multiple of 32. Each sum is one of 32 partial sums, in an order that no
    /// width of vectors changes.
    @inline(never)
    package static func matrixVectorProduct(
        _ matrix: UnsafePointer<Float>, rows: Int, columns: Int, vector: UnsafePointer<Float>,
        addend: UnsafePointer<Float>?, out: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rows {
            let first = matrix + row &* columns
            var (sum0, sum1) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
            var (sum2, sum3) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
            var column = 0
            while column < columns {
                // The weights mostly come from memory, and the last ones are followed by those of the next row.
                shims_prefetch(first + (column &+ prefetchDistance))
                shims_prefetch(first + (column &+ prefetchDistance &+ 16))
                addProducts(&sum0, first + column, vector + column)
                addProducts(&sum1, first + (column &+ 8), vector + (column &+ 8))
                addProducts(&sum2, first + (column &+ 16), vector + (column &+ 16))
                addProducts(&sum3, first + (column &+ 24), vector + (column &+ 24))
                column &+= 32
            }
            let eight = (sum0 + sum1) + (sum2 + sum3)
            let four = eight.lowHalf + eight.highHalf
            let two = four.lowHalf + four.highHalf
            let sum = two.x + two.y
            out[row] = addend.map { $0[row] + sum } ?? sum
        }
    }
}

/// Floats: 2 KB.
@inline(__always)
private var prefetchDistance: Int { 512 }

@inline(__always)
private func addProducts(_ sum: inout SIMD8<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) {
    sum = sum.addingProduct(loadEight(a), loadEight(b))
}
