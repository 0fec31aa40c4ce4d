// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// Some output channels by the floats of a panel: `out[r][c] = sum over pixels of gradients[pixel][r] *
    /// panel[pixel][c]`, or added to the values in memory.
    ///
    /// - Parameters:
    ///   - height: How many channels: 4 to `mostProductRows`.
    ///   - pixels: At least 1.
    ///   - gradients: `height` floats for each pixel, which are `step` floats apart.
    ///   - panel: `panelWidth` floats for each pixel.
    ///   - out: The channels one after the other, `panelWidth` floats each.
    @inline(never)
    package static func gradientTile(
        height: Int, pixels: Int, gradients: UnsafePointer<Float>, step: Int, panel: UnsafePointer<Float>,
        out: UnsafeMutablePointer<Float>, isFirst: Bool
    ) {
        switch height {
        case 8 where Leaves.mostProductRows >= 8: gradientTile8(pixels, gradients, step, panel, out, isFirst)
        case 7 where Leaves.mostProductRows >= 7: gradientTile7(pixels, gradients, step, panel, out, isFirst)
        case 6: gradientTile6(pixels, gradients, step, panel, out, isFirst)
        case 5: gradientTile5(pixels, gradients, step, panel, out, isFirst)
        default: gradientTile4(pixels, gradients, step, panel, out, isFirst)
        }
    }

    /// Copies `panelWidth` floats of each of some pixels that are `step` floats apart, one after the other.
    @inline(never)
    package static func copyPanel(
        _ pixels: UnsafePointer<Float>, step: Int, count: Int, out: UnsafeMutablePointer<Float>
    ) {
        var (input, output) = (pixels, out)
        for _ in 0..<count {
            store(load(input), output)
            store(load(input + lanes), output + lanes)
            input += step
            output += panelWidth
        }
    }

    /// The same with 4 to 8 floats of each pixel.
    @inline(never)
    package static func copyNarrow(
        _ pixels: UnsafePointer<Float>, step: Int, count: Int, width: Int, out: UnsafeMutablePointer<Float>
    ) {
        var (input, output) = (pixels, out)
        let second = width &- 4
        for _ in 0..<count {
            // Two parts that overlap, so that neither reaches beyond the pixel.
            let (left, right) = (loadFour(input), loadFour(input + second))
            storeFour(left, output)
            storeFour(right, output + second)
            input += step
            output += width
        }
    }
}

@inline(__always)
private func loadFour(_ address: UnsafePointer<Float>) -> SIMD4<Float> {
    UnsafeRawPointer(address).loadUnaligned(as: SIMD4<Float>.self)
}

@inline(__always)
private func storeFour(_ values: SIMD4<Float>, _ address: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(address).storeBytes(of: values, as: SIMD4<Float>.self)
}

// One function for each height, as with `convolutionTile`.

@inline(never)
package func gradientTile8(
    _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    compute(8, pixels, gradients, step, panel, out, isFirst)
}

@inline(never)
package func gradientTile7(
    _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    compute(7, pixels, gradients, step, panel, out, isFirst)
}

@inline(never)
package func gradientTile6(
    _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    compute(6, pixels, gradients, step, panel, out, isFirst)
}

@inline(never)
package func gradientTile5(
    _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    compute(5, pixels, gradients, step, panel, out, isFirst)
}

@inline(never)
package func gradientTile4(
    _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    compute(4, pixels, gradients, step, panel, out, isFirst)
}

@inline(__always)
private func compute(
    _ height: Int, _ pixels: Int, _ gradients: UnsafePointer<Float>, _ step: Int, _ panel: UnsafePointer<Float>,
    _ out: UnsafeMutablePointer<Float>, _ isFirst: Bool
) {
    var sums = Sums(height, .zero, .zero)
    var (gradient, input) = (gradients, panel)
    var left = pixels
    repeat {
        sums.addPixel(height, gradient, input)
        input += panelWidth
        gradient += step
        left &-= 1
    } while left > 0
    if isFirst { sums.write(height, out) } else { sums.add(height, to: out) }
}

extension Sums {
    /// Adds the products of consecutive floats, one for each row, with two vectors.
    @inline(__always)
    fileprivate mutating func addPixel(
        _ rows: Int, _ gradient: UnsafePointer<Float>, _ input: UnsafePointer<Float>
    ) {
        let left = load(input)
        let right = load(input + lanes)
        for row in 0..<rows {
            let factor = Vector(repeating: gradient[row])
            vectors[unchecked: 2 &* row] = addProduct(vectors[unchecked: 2 &* row], factor, left)
            vectors[unchecked: 2 &* row &+ 1] = addProduct(vectors[unchecked: 2 &* row &+ 1], factor, right)
        }
    }

    /// Adds the rows to the values in memory, one after the other.
    @inline(__always)
    fileprivate func add(_ rows: Int, to out: UnsafeMutablePointer<Float>) {
        for row in 0..<rows {
            let (left, right) = (out + row &* panelWidth, out + (row &* panelWidth &+ lanes))
            store(load(left) + vectors[unchecked: 2 &* row], left)
            store(load(right) + vectors[unchecked: 2 &* row &+ 1], right)
        }
    }
}
