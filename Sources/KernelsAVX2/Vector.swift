// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

// The parts that differ between instruction sets. The rest of the target is `VectorKernels`, through the link `Shared`.

/// The contents of a register.
typealias Vector = SIMD8<Float>

/// The sums of the highest tile, six rows of two vectors.
typealias TileVectors = InlineArray<12, Vector>

/// The leaf functions of this instruction set.
package enum Leaves {
    /// Floats of a vector.
    @inlinable package static var lanes: Int { 8 }

    /// Rows of the highest tile of a product.
    @inlinable package static var mostProductRows: Int { 6 }

    /// Columns per cache line that a tile requests. With more of them in a row the optimiser makes a loop, or multiplies
    /// row by row, so that each multiplication waits for the one before.
    @inlinable package static var columnsPerPrefetch: Int { 2 }
}

/// Lane `index`, a literal, of each four lanes in all four.
@inline(__always)
func spread(_ vector: Vector, _ index: Int) -> Vector { shims_spread8(vector, index) }

@inline(__always)
func squareRoots(_ vector: Vector) -> Vector { shims_square_roots8(vector) }
