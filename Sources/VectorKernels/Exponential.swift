// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Compiled for each instruction set, and through a link for any CPU: they differ in `Vector` and `addProduct`.

/// `exp(x)`, for use in `1 + exp(x)`. Its relative error is about 1e-7. It is 0 below -86.9, where the sum is 1, infinity
/// where Float overflows, and NaN for NaN. The method is that of the Cephes library: `exp(x) = 2^n * exp(r)` with
/// `|r| <= ln(2) / 2`.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
    var x = x
    // Within these bounds the exponent of the result fits its 8 bits. Comparisons with NaN are false, so NaN stays.
    x.replace(with: 89, where: x .> 89)
    x.replace(with: -87, where: x .< -87)

    // In a sum with 1.5 * 2^23, the last bits of the mantissa are the nearest integer. Unlike a conversion, a sum accepts NaN.
    let shift: Float = 0x1.8p23
    let shifted = x * 1.442_695_04 + shift
    let n = shifted - shift
    // ln(2) in two parts. The product with the first one is exact.
    let r = addProduct(addProduct(x, -0.693_359_375, n), 2.121_944_40e-4, n)

    var polynomial = addProduct(Vector(repeating: 1.398_199_950_7e-3), 1.987_569_15e-4, r)
    polynomial = addProduct(Vector(repeating: 8.333_451_907_3e-3), polynomial, r)
    polynomial = addProduct(Vector(repeating: 4.166_579_589_4e-2), polynomial, r)
    polynomial = addProduct(Vector(repeating: 1.666_666_545_9e-1), polynomial, r)
    polynomial = addProduct(Vector(repeating: 5.000_000_120_1e-1), polynomial, r)
    let fraction = addProduct(r, polynomial, r * r) + 1

    // 2^(n - 1), since 2^128 overflows Float.
    let exponent = unsafeBitCast(shifted, to: Vector.MaskStorage.self) &+ 126
    let power = unsafeBitCast(exponent &<< 23, to: Vector.self)
    return (fraction + fraction) * power
}
