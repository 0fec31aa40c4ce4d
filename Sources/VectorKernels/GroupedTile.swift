// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// `convolutionTile` for groups that are narrower than a panel: 4 channels, or whole vectors of output channels.
    ///
    /// The sums of narrow groups read their input as vectors, of which each channel is spread over the lanes of its group.
    /// Those of wide ones read a channel for all lanes, but for each of the two vectors from a group of its own. Both add
    /// their terms in the order of `convolutionTile`, so that the bits do not depend on how many lanes a vector has.
    ///
    /// - Parameters:
    ///   - isNarrow: Whether groups have 4 channels, of the input as of the output.
    ///   - secondGroup: Floats from the input channels of the first vector to those of the second. Ignored for narrow groups.
    @inline(never)
    package static func groupedTile(
        height: Int, isNarrow: Bool, _ panel: shims_convolution_panel, secondGroup: Int,
        inputs: UnsafePointer<UnsafePointer<Float>>, residuals: UnsafePointer<UnsafePointer<Float>>?,
        outputs: UnsafePointer<UnsafeMutablePointer<Float>>
    ) {
        switch (isNarrow, height) {
        case (true, 6): narrowTile6(panel, inputs, residuals, outputs)
        case (true, 5): narrowTile5(panel, inputs, residuals, outputs)
        case (true, _): narrowTile4(panel, inputs, residuals, outputs)
        case (false, 6): wideTile6(panel, secondGroup, inputs, residuals, outputs)
        case (false, 5): wideTile5(panel, secondGroup, inputs, residuals, outputs)
        case (false, _): wideTile4(panel, secondGroup, inputs, residuals, outputs)
        }
    }
}

// One function for each, for the reason that tiles have one for each height.

@inline(never)
package func narrowTile6(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeNarrow(6, panel, inputs, residuals, outputs)
}

@inline(never)
package func narrowTile5(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeNarrow(5, panel, inputs, residuals, outputs)
}

@inline(never)
package func narrowTile4(
    _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeNarrow(4, panel, inputs, residuals, outputs)
}

@inline(never)
package func wideTile6(
    _ panel: shims_convolution_panel, _ secondGroup: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeWide(6, panel, secondGroup, inputs, residuals, outputs)
}

@inline(never)
package func wideTile5(
    _ panel: shims_convolution_panel, _ secondGroup: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeWide(5, panel, secondGroup, inputs, residuals, outputs)
}

@inline(never)
package func wideTile4(
    _ panel: shims_convolution_panel, _ secondGroup: Int, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    computeWide(4, panel, secondGroup, inputs, residuals, outputs)
}

@inline(__always)
private func computeNarrow(
    _ rows: Int, _ panel: shims_convolution_panel, _ inputs: UnsafePointer<UnsafePointer<Float>>,
    _ residuals: UnsafePointer<UnsafePointer<Float>>?, _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    for row in 0..<rows { prefetchForWriting(outputs[row] + panel.channel, vectors: 2) }
    var sums = Sums(rows, load(panel.bias.unsafelyUnwrapped), load(panel.bias.unsafelyUnwrapped + lanes))
    var addresses = ScatteredRows(rows, inputs, offset: panel.input_offset)
    var weights = panel.weights.unsafelyUnwrapped
    let rowGap = panel.row_stride &- panel.segment_count &* panel.segment_stride
    var row = panel.row_count
    repeat {
        var segment = panel.segment_count
        repeat {
            // Not a loop, for Embedded Swift, as in `addProducts`.
            sums.addSpread(rows, addresses, 0, &weights)
            sums.addSpread(rows, addresses, 1, &weights)
            sums.addSpread(rows, addresses, 2, &weights)
            sums.addSpread(rows, addresses, 3, &weights)
            addresses.advance(panel.segment_stride)
            segment &-= 1
        } while segment > 0
        addresses.advance(rowGap)
        row &-= 1
    } while row > 0
    sums.finish(rows, panel, residuals, outputs)
}

@inline(__always)
private func computeWide(
    _ rows: Int, _ panel: shims_convolution_panel, _ secondGroup: Int,
    _ inputs: UnsafePointer<UnsafePointer<Float>>, _ residuals: UnsafePointer<UnsafePointer<Float>>?,
    _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
) {
    for row in 0..<rows { prefetchForWriting(outputs[row] + panel.channel, vectors: 2) }
    var sums = Sums(rows, load(panel.bias.unsafelyUnwrapped), load(panel.bias.unsafelyUnwrapped + lanes))
    var addresses = ScatteredRows(rows, inputs, offset: panel.input_offset)
    var weights = panel.weights.unsafelyUnwrapped
    let gap = panel.segment_stride &- panel.segment_length
    let rowGap = panel.row_stride &- panel.segment_count &* panel.segment_stride
    var row = panel.row_count
    repeat {
        var segment = panel.segment_count
        repeat {
            var left = panel.segment_length
            // A column at a time: of several in a row the optimiser multiplies row by row, and each waits for the last.
            repeat {
                sums.addPair(rows, addresses, secondGroup, &weights)
                addresses.advance(1)
                left &-= 1
            } while left > 0
            addresses.advance(gap)
            segment &-= 1
        } while segment > 0
        addresses.advance(rowGap)
        row &-= 1
    } while row > 0
    sums.finish(rows, panel, residuals, outputs)
}

extension Sums {
    /// Adds the products of channel `index` of each group, a literal, with two vectors of the panel.
    @inline(__always)
    fileprivate mutating func addSpread(
        _ rows: Int, _ a: ScatteredRows, _ index: Int, _ b: inout UnsafePointer<Float>
    ) {
        let left = load(b)
        let right = load(b + lanes)
        // Two loops: one of more than four rows would stay a loop where a vector is two registers.
        for row in 0..<min(rows, 4) { addSpread(row, a.address(of: row), index, left, right) }
        for row in min(rows, 4)..<rows { addSpread(row, a.address(of: row), index, left, right) }
        b += panelWidth
    }

    @inline(__always)
    private mutating func addSpread(
        _ row: Int, _ address: UnsafePointer<Float>, _ index: Int, _ left: Vector, _ right: Vector
    ) {
        vectors[unchecked: 2 &* row] = addProduct(vectors[unchecked: 2 &* row], spread(load(address), index), left)
        vectors[unchecked: 2 &* row &+ 1] = addProduct(
            vectors[unchecked: 2 &* row &+ 1], spread(load(address + lanes), index), right)
    }

    /// Adds the products of a channel of one group, and of the same of a second, each with a vector of the panel.
    @inline(__always)
    fileprivate mutating func addPair(
        _ rows: Int, _ a: ScatteredRows, _ secondGroup: Int, _ b: inout UnsafePointer<Float>
    ) {
        let left = load(b)
        let right = load(b + lanes)
        for row in 0..<rows {
            let address = a.address(of: row)
            vectors[unchecked: 2 &* row] = addProduct(
                vectors[unchecked: 2 &* row], Vector(repeating: address[0]), left)
            vectors[unchecked: 2 &* row &+ 1] = addProduct(
                vectors[unchecked: 2 &* row &+ 1], Vector(repeating: address[secondGroup]), right)
        }
        b += panelWidth
    }

    /// Residual and ReLU on the way to the outputs.
    @inline(__always)
    fileprivate mutating func finish(
        _ rows: Int, _ panel: shims_convolution_panel, _ residuals: UnsafePointer<UnsafePointer<Float>>?,
        _ outputs: UnsafePointer<UnsafeMutablePointer<Float>>
    ) {
        let floor = sumFloor(isReLU: panel.is_relu)
        if let residuals { add(rows, residuals, panel.channel) }
        write(rows, above: floor, outputs, panel.channel)
    }
}
