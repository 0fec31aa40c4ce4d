// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The file of the same name in `KernelsAVX2` says what these are.

/// The contents of two registers. Of 32 registers, 24 hold the sums of six rows, four the weights of a step, and four
/// its inputs.
typealias Vector = SIMD8<Float>

/// The sums of the highest tile, six rows of two vectors.
typealias TileVectors = InlineArray<12, Vector>

package enum Leaves {
    @inlinable package static var lanes: Int { 8 }
    @inlinable package static var mostProductRows: Int { 6 }
    @inlinable package static var columnsPerPrefetch: Int { 1 }
}

@inline(__always)
func spread(_ vector: Vector, _ index: Int) -> Vector { shims_spread8(vector, index) }

@inline(__always)
func squareRoots(_ vector: Vector) -> Vector { shims_square_roots8(vector) }
