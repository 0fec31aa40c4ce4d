// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Columns for each cache line that a tile asks for.
@inlinable package var columnsPerPrefetch: Int { 1 }

extension Sums {
    /// As in `KernelsAVX2`, but column by column: with 32 registers the optimiser would load several columns ahead and then
    /// multiply row by row, and each multiplication would wait for the one before.
    @inline(__always)
    mutating func addProducts(
        _ rows: Int, _ a: inout RowAddresses, _ count: Int, _ b: inout UnsafePointer<Float>,
        _ prefetch: inout UnsafeRawPointer, _ prefetchStep: Int
    ) {
        var left = count
        while left > 0 {
            shims_prefetch(prefetch)
            addProduct(rows, a, 0, b)
            a.advance(1)
            b += panelWidth
            prefetch += prefetchStep
            left &-= 1
        }
    }
}
