// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Rows by `panelWidth` columns of a matrix product: `out[r][c] = sum over k of a[r * aStride + k] * panel[k][c]`.
    ///
    /// - Parameters:
    ///   - height: How many rows: 4 to `mostProductRows`.
    ///   - depth: Terms of a sum, at least 1.
    ///   - out: The rows in sequence, `panelWidth` floats each.
    ///   - prefetch: As for `convolutionTile`.
    @inline(never)
    package static func productTile(
        height: Int, a: UnsafePointer<Float>, aStride: Int, depth: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, prefetch: UnsafeRawPointer, prefetchStep: Int
    ) {
        switch height {
        case 8 where Leaves.mostProductRows >= 8: compute(8, a, aStride, depth, panel, out, prefetch, prefetchStep)
        case 7 where Leaves.mostProductRows >= 7: compute(7, a, aStride, depth, panel, out, prefetch, prefetchStep)
        case 6: compute(6, a, aStride, depth, panel, out, prefetch, prefetchStep)
        case 5: compute(5, a, aStride, depth, panel, out, prefetch, prefetchStep)
        default: compute(4, a, aStride, depth, panel, out, prefetch, prefetchStep)
        }
    }
}

@inline(__always)
private func compute(
    _ rows: Int, _ a: UnsafePointer<Float>, _ aStride: Int, _ depth: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ prefetch: UnsafeRawPointer, _ prefetchStep: Int
) {
    var sums = Sums(rows, .zero, .zero)
    var rowsOfA = MatrixRows(a, stride: aStride)
    var panel = panel
    var prefetch = prefetch
    sums.addProducts(rows, &rowsOfA, depth, &panel, &prefetch, prefetchStep)
    sums.write(rows, out)
}
