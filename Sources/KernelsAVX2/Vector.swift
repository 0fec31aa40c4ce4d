// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// What differs between the targets of instruction sets; their other files are the same, in `KernelsAVX512` as links.

/// What fills a register.
typealias Vector = SIMD8<Float>

/// The sums of the highest tile, six rows of two vectors.
typealias TileVectors = InlineArray<12, Vector>

/// The leaf functions of this instruction set.
package enum Leaves {
    /// Floats of a vector.
    @inlinable package static var lanes: Int { 8 }

    /// Rows of the highest tile of a product.
    @inlinable package static var mostProductRows: Int { 6 }

    /// Columns for each cache line that a tile asks for. More of them in a row, and the optimiser makes a loop of them, or
    /// multiplies row by row, so that each multiplication waits for the one before.
    @inlinable package static var columnsPerPrefetch: Int { 2 }
}
