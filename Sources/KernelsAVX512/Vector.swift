// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The file of the same name in `KernelsAVX2` says what these are.

typealias Vector = SIMD16<Float>

/// The sums of the highest tile, eight rows of two vectors.
typealias TileVectors = InlineArray<16, Vector>

package enum Leaves {
    @inlinable package static var lanes: Int { 16 }
    @inlinable package static var mostProductRows: Int { 8 }
    @inlinable package static var columnsPerPrefetch: Int { 1 }
}

@inline(__always)
func spread(_ vector: Vector, _ index: Int) -> Vector { shims_spread16(vector, index) }

@inline(__always)
func squareRoots(_ vector: Vector) -> Vector { shims_square_roots16(vector) }
