// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// Leaf functions on raw pointers and concrete SIMD types: nothing generic may leave this target, since the linker keeps
// one copy of a specialisation and it could be this target's, with instructions that the CPU at hand may not have.

extension Leaves {
    /// Output channels of a panel, which a tile computes at once: two vectors.
    @inlinable package static var panelWidth: Int { 2 &* lanes }
}

@inline(__always)
var lanes: Int { Leaves.lanes }

@inline(__always)
var panelWidth: Int { Leaves.panelWidth }

@inline(__always)
var columnsPerPrefetch: Int { Leaves.columnsPerPrefetch }

@inline(__always)
func load(_ address: UnsafePointer<Float>) -> Vector { UnsafeRawPointer(address).loadUnaligned(as: Vector.self) }

@inline(__always)
func load(_ address: UnsafeMutablePointer<Float>) -> Vector { load(UnsafePointer(address)) }

@inline(__always)
func store(_ vector: Vector, _ address: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(address).storeBytes(of: vector, as: Vector.self)
}

// Eight floats at a time, whatever the width of a vector: for shuffles and for Double, where wider ones gain nothing.

@inline(__always)
func loadEight(_ address: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD8<Float>.self)
}

@inline(__always)
func loadEight(_ address: UnsafeMutablePointer<Float>) -> SIMD8<Float> { loadEight(UnsafePointer(address)) }

@inline(__always)
func storeEight(_ values: SIMD8<Float>, _ address: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(address).storeBytes(of: values, as: SIMD8<Float>.self)
}

/// Rounds eight numbers and stores them.
@inline(__always)
func storeEight(_ values: SIMD8<Double>, _ address: UnsafeMutablePointer<Float>) {
    storeEight(SIMD8<Float>(values), address)
}

/// The floor of sums that a ReLU follows; without one nothing is below the floor.
@inline(__always)
func sumFloor(isReLU: Bool) -> Vector { Vector(repeating: isReLU ? 0 : -.infinity) }

/// The larger of each element and `floor`, and NaN for NaN: a ReLU where the floor is 0, which makes 0 of -0.
@inline(__always)
func rectified(_ vector: Vector, _ floor: Vector) -> Vector { vector.replacing(with: floor, where: vector .<= floor) }

/// `sum + factor * vector`, rounded once.
@inline(__always)
func addProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    addProduct(sum, Vector(repeating: factor), vector)
}

@inline(__always)
func addProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    sum.addingProduct(factor, vector)
}

/// `addProduct` for files that are also compiled for any CPU, where the result must be rounded once as well.
@inline(__always)
func addFused(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector { sum.addingProduct(factor, vector) }

/// `sum - factor * vector`, rounded once.
@inline(__always)
func subtractProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    addProduct(sum, Vector(repeating: -factor), vector)
}

@inline(__always)
func subtractProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    addProduct(sum, -factor, vector)
}

/// Requests the cache lines of `vectors` vectors, an even number, that will be written. Where a residual is added in
/// place the kernel reads them first.
@inline(__always)
func prefetchForWriting(_ address: UnsafeMutablePointer<Float>, vectors: Int) {
    // Two vectors of AVX2 are a cache line, as is each one of AVX-512.
    for index in 0..<vectors where lanes == 16 || index % 2 == 0 {
        shims_prefetch_for_writing(address + index &* lanes)
    }
}

@inline(__always)
func load(_ address: UnsafePointer<Double>) -> SIMD8<Double> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD8<Double>.self)
}

@inline(__always)
func load(_ address: UnsafeMutablePointer<Double>) -> SIMD8<Double> { load(UnsafePointer(address)) }

@inline(__always)
func store(_ vector: SIMD8<Double>, _ address: UnsafeMutablePointer<Double>) {
    UnsafeMutableRawPointer(address).storeBytes(of: vector, as: SIMD8<Double>.self)
}
