// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Input channels that `packPanel` takes at a time: a cache line of a pointwise convolution's weights.
    @inlinable package static var packedInputs: Int { 16 }

    /// Brings the weights of `panelWidth` output channels into a panel, past the caches (see `shims_stream`):
    /// `out[(tap * inputs + input) * panelWidth + row] = weights[(row * inputs + input) * area + tap] * scale[row]`, multiplied
    /// in Double and rounded once.
    ///
    /// - Parameters:
    ///   - area: Taps of the kernel.
    ///   - inputs: A multiple of `packedInputs`.
    ///   - scale: `panelWidth` factors.
    ///   - scratch: Room for `packedInputs * area * panelWidth` floats.
    /// - Returns: The sum of `0 * weight`: 0 if all packed weights are finite, else NaN.
    @inline(never)
    package static func packPanel(
        area: Int, inputs: Int, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>,
        out: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) -> Float {
        let (rowStride, count) = (inputs &* area, packedInputs &* area)
        var zeroProducts = Vector.zero
        var input = 0
        while input < inputs {
            let source = weights + input &* area
            var row = 0
            while row < panelWidth {
                packRows(area, source + row &* rowStride, rowStride, count, scale + row, scratch + row)
                row &+= 8
            }
            var index = 0
            while index < count &* panelWidth {
                zeroProducts = addProduct(zeroProducts, Vector.zero, load(scratch + index))
                index &+= lanes
            }
            for tap in 0..<area {
                shims_stream(
                    scratch + tap &* packedInputs &* panelWidth, out + (tap &* inputs &+ input) &* panelWidth,
                    packedInputs &* panelWidth)
            }
            input &+= packedInputs
        }
        shims_end_stream()
        return zeroProducts.sum()
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

/// Eight output channels of some inputs: `out[(tap * packedInputs + input) * panelWidth + row]`.
@inline(__always)
private func packRows(
    _ area: Int, _ weights: UnsafePointer<Float>, _ rowStride: Int, _ count: Int, _ scale: UnsafePointer<Double>,
    _ out: UnsafeMutablePointer<Float>
) {
    let factors = load(scale)
    let tapStride = Leaves.packedInputs &* panelWidth
    var (tap, target) = (0, out)
    var first = 0
    while first < count {
        let square = TransposedSquare(weights + first, stride: rowStride)
        // Asks for the inputs after the next: each row is a stream of its own.
        if first & 8 == 0 { for row in 0..<8 { shims_prefetch(weights + (first &+ 2 &* count &+ row &* rowStride)) } }
        for column in 0..<8 {
            storeEight(SIMD8<Double>(square.column(column)) * factors, target)
            tap &+= 1
            target += tapStride
            if tap == area {
                tap = 0
                target += panelWidth &- area &* tapStride
            }
        }
        first &+= 8
    }
}
