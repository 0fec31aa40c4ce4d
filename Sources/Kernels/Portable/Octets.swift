// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Eight numbers at any address. The vectors are explicit because LLVM does not use its vectorised loop if output and
// input are the same memory.

/// Functions with the same names as for instruction sets, for files compiled for both.
typealias Vector = SIMD8<Float>

@inline(__always)
func addProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector { sum + factor * vector }

@inline(__always)
func addProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector { sum + factor * vector }

extension UnsafePointer<Float> {
    @inline(__always)
    var octet: SIMD8<Float> { UnsafeRawPointer(self).loadUnaligned(as: SIMD8<Float>.self) }
}

extension UnsafeMutablePointer<Float> {
    @inline(__always)
    var octet: SIMD8<Float> { UnsafePointer(self).octet }

    @inline(__always)
    func store(_ octet: SIMD8<Float>) {
        UnsafeMutableRawPointer(self).storeBytes(of: octet, as: SIMD8<Float>.self)
    }
}

extension UnsafeMutablePointer<Double> {
    @inline(__always)
    func store(_ octet: SIMD8<Double>) {
        UnsafeMutableRawPointer(self).storeBytes(of: octet, as: SIMD8<Double>.self)
    }
}
