// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// See the file of the same name in `KernelsAVX2`, to which the other files here are links.

/// What fills a register.
typealias Vector = SIMD16<Float>

/// Floats of a vector.
@inlinable package var lanes: Int { 16 }

/// The sums of the highest tile.
typealias TileVectors = InlineArray<16, Vector>

/// Columns for each cache line that a tile asks for.
@inlinable package var columnsPerPrefetch: Int { 1 }

/// The height of the highest tile of a product.
@inlinable package var mostProductRows: Int { 8 }
