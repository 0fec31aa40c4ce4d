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

extension Leaves {
    /// Brings columns of weights into a panel: `out[k * panelWidth + c] = weights[k * rowStride + c] * scale[k]`, multiplied in
    /// Double and rounded once.
    ///
    /// - Parameters:
    ///   - count: Rows of the weights.
    ///   - scale: A factor for each row; nil for 1.
    @inline(never)
    package static func packColumns(
        weights: UnsafePointer<Float>, rowStride: Int, count: Int, scale: UnsafePointer<Double>?,
        out: UnsafeMutablePointer<Float>
    ) {
        var (row, out) = (weights, out)
        for k in 0..<count {
            let factor = SIMD8<Double>(repeating: scale?[k] ?? 1)
            var column = 0
            while column < panelWidth {
                storeEight(SIMD8<Double>(loadEight(row + column)) * factor, out + column)
                column &+= 8
            }
            row += rowStride
            out += panelWidth
        }
    }
}

extension Leaves {
    /// The sum of `0 * weight` over whole panels: 0 if all weights are finite, else NaN.
    @inline(never)
    package static func sumOfZeroProducts(_ weights: UnsafePointer<Float>, count: Int) -> Float {
        var (left, right) = (Vector.zero, Vector.zero)
        var index = 0
        while index < count {
            left = addProduct(left, Vector.zero, load(weights + index))
            right = addProduct(right, Vector.zero, load(weights + (index &+ lanes)))
            index &+= panelWidth
        }
        return (left + right).sum()
    }
}

@inline(__always)
private func packRows(
    _ weights: UnsafePointer<Float>, _ rowStride: Int, _ count: Int, _ scale: UnsafePointer<Double>,
    _ out: UnsafeMutablePointer<Float>
) {
    let factors = load(scale)
    var k = 0
    while k &+ 8 <= count {
        let square = TransposedSquare(weights + k, stride: rowStride)
        for column in 0..<8 {
            storeEight(SIMD8<Double>(square.column(column)) * factors, out + (k &+ column) &* panelWidth)
        }
        k &+= 8
    }
    while k < count {
        for row in 0..<8 {
            out[k &* panelWidth &+ row] = Float(Double(weights[row &* rowStride &+ k]) * scale[row])
        }
        k &+= 1
    }
}
