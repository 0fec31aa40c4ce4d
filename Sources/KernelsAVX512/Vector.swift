// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// See the file of the same name in `KernelsAVX2`, to which the other files here are links.

typealias Vector = SIMD16<Float>

/// The sums of the highest tile, eight rows of two vectors.
typealias TileVectors = InlineArray<16, Vector>

package enum Leaves {
    @inlinable package static var lanes: Int { 16 }
    @inlinable package static var mostProductRows: Int { 8 }
    @inlinable package static var columnsPerPrefetch: Int { 1 }
}
