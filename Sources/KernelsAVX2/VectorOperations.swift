// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

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

/// Rounds eight numbers and stores them.
@inline(__always)
func storeEight(_ values: SIMD8<Double>, _ address: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(address).storeBytes(of: SIMD8<Float>(values), as: SIMD8<Float>.self)
}

/// The larger of each element and `floor`, and NaN for NaN: a ReLU where the floor is 0, which makes 0 of -0.
@inline(__always)
func rectified(_ vector: Vector, _ floor: Vector) -> Vector { vector.replacing(with: floor, where: vector .<= floor) }

@inline(__always)
func addProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    sum.addingProduct(Vector(repeating: factor), vector)
}

@inline(__always)
func addProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    sum.addingProduct(factor, vector)
}

@inline(__always)
func subtractProduct(_ sum: Vector, _ factor: Float, _ vector: Vector) -> Vector {
    sum.addingProduct(Vector(repeating: -factor), vector)
}

@inline(__always)
func subtractProduct(_ sum: Vector, _ factor: Vector, _ vector: Vector) -> Vector {
    sum.addingProduct(-factor, vector)
}

@inline(__always)
func load(_ address: UnsafePointer<Double>) -> SIMD8<Double> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD8<Double>.self)
}

@inline(__always)
func store(_ vector: SIMD8<Double>, _ address: UnsafeMutablePointer<Double>) {
    UnsafeMutableRawPointer(address).storeBytes(of: vector, as: SIMD8<Double>.self)
}
