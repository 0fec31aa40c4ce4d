// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// What differs between the targets of instruction sets; their other files are the same, in `KernelsAVX512` as links.

/// What fills a register.
typealias Vector = SIMD8<Float>

/// Floats of a vector.
@inlinable package var lanes: Int { 8 }

/// The sums of the highest tile.
typealias TileVectors = InlineArray<12, Vector>

/// Columns for each cache line that a tile asks for.
@inlinable package var columnsPerPrefetch: Int { 2 }

/// The height of the highest tile of a product.
@inlinable package var mostProductRows: Int { 6 }
