// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Columns for each cache line that a tile asks for.
@inlinable package var columnsPerPrefetch: Int { 4 }

extension Sums {
    /// Adds the products of `count` columns with as many times two vectors of the panel, and moves all addresses behind
    /// them. On the way it asks for memory that will be needed soon: a cache line for every `columnsPerPrefetch` columns.
    @inline(__always)
    mutating func addProducts(
        _ rows: Int, _ a: inout RowAddresses, _ count: Int, _ b: inout UnsafePointer<Float>,
        _ prefetch: inout UnsafeRawPointer, _ prefetchStep: Int
    ) {
        var left = count
        while left >= 4 {
            shims_prefetch(prefetch)
            addProduct(rows, a, 0, b)
            addProduct(rows, a, 1, b + panelWidth)
            addProduct(rows, a, 2, b + 2 &* panelWidth)
            addProduct(rows, a, 3, b + 3 &* panelWidth)
            a.advance(4)
            b += 4 &* panelWidth
            prefetch += prefetchStep
            left &-= 4
        }
        while left > 0 {
            addProduct(rows, a, 0, b)
            a.advance(1)
            b += panelWidth
            left &-= 1
        }
    }
}
