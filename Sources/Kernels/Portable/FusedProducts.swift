// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// Operations that are instructions on other CPUs, with the same bits.

/// `sum + factor * vector`, rounded once.
///
/// In Double the product of two Floats is exact, and the sum of both is rounded to odd (Boldo and Melquiond 2008): it
/// has over two bits more than a Float, so rounding it again equals rounding once.
@inline(__always)
func addFused(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    let product = SIMD8<Double>(factor) * SIMD8<Double>(vector)
    let addend = SIMD8<Double>(sum)
    let rounded = product + addend
    // The exact rounding error (Knuth's two-sum); NaN if the sum is not finite.
    let part = rounded - product
    let lost = (product - (rounded - part)) + (addend - part)
    var bits = unsafeBitCast(rounded, to: SIMD8<Int64>.self)
    let isInexact = (lost .< 0) .| (lost .> 0)
    let isEven = (bits & 1) .== 0
    // Away from zero if the exact sum is, else towards zero. The bits of a Double count its magnitude.
    let isBeyond = (lost .< 0) .== (rounded .< 0)
    let odd = (bits &- 1).replacing(with: bits &+ 1, where: isBeyond)
    bits.replace(with: odd, where: isInexact .& isEven)
    return Vector(unsafeBitCast(bits, to: SIMD8<Double>.self))
}

@inline(__always)
func squareRoots(_ vector: Vector) -> Vector { shims_square_roots8(vector) }
