// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Brings rows of weights into a panel: `out[k * panelWidth + row] = weights[row * rowStride + k] * scale[row]`, multiplied
    /// in Double and rounded once.
    ///
    /// - Parameters:
    ///   - count: Weights of a row.
    ///   - scale: `panelWidth` factors.
    @inline(never)
    package static func packPanel(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>
    ) {
        // Eight rows at a time: as many as there are ways of the first-level cache, of which a power of two as stride lets
        // all rows use the same set.
        var row = 0
        while row < panelWidth {
            packRows(weights + row &* rowStride, rowStride, count, scale + row, out + row)
            row &+= 8
        }
    }
}

@inline(__always)
private func packRows(
    _ weights: UnsafePointer<Float>, _ rowStride: Int, _ count: Int, _ scale: UnsafePointer<Double>,
    _ out: UnsafeMutablePointer<Float>
) {
    let row0 = weights
    let row1 = row0 + rowStride
    let row2 = row1 + rowStride
    let row3 = row2 + rowStride
    let row4 = row3 + rowStride
    let row5 = row4 + rowStride
    let row6 = row5 + rowStride
    let row7 = row6 + rowStride
    let factors = UnsafeRawPointer(scale).loadUnaligned(as: SIMD8<Double>.self)
    for k in 0..<count {
        let values = SIMD8<Float>(row0[k], row1[k], row2[k], row3[k], row4[k], row5[k], row6[k], row7[k])
        storeEight(SIMD8<Double>(values) * factors, out + k &* panelWidth)
    }
}
