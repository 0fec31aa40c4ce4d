// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The points of Winograd's F(m x m, 3 x 3): m + 2 on a line at stride 1. At stride 2 the samples of the second weight
/// are points of their own: 2 m + 1.
///
/// A tile at the edge of an image may have fewer pixels, and then fewer of the points (`shims_winograd_points`).
package struct WinogradGeometry: BitwiseCopyable {
    /// Output pixels of a tile in each direction.
    let m: Int
    let stride: Int
    /// Points of a line, equal to its pixels of the input.
    let side: Int

    package init(m: Int, stride: Int) {
        self.m = m
        self.stride = stride
        side = stride == 1 ? m + 2 : 2 * m + 1
    }

    /// Points of a whole tile.
    var points: Int { side * side }

    /// Points with weights of their own, the same at either stride.
    package var weightPoints: Int { weightSide * weightSide }

    /// The index of the transformed weights of a point. At stride 2 the last points of a line share theirs.
    func weightPoint(of point: Int) -> Int {
        let (row, column) = point.quotientAndRemainder(dividingBy: side)
        return min(row, weightSide - 1) * weightSide + min(column, weightSide - 1)
    }

    /// Tiles on a side of an output.
    func tileCount(_ size: Int) -> Int { divideRoundingUp(size, m) }

    /// Pixels of the last tile on a side.
    func lastOutputs(_ size: Int) -> Int { size - (tileCount(size) - 1) * m }

    /// Samples of the input, on a line, that so many pixels of a tile need.
    func samples(_ wanted: Int) -> Int {
        stride == 1 ? shims_winograd_outputs(m, stride, wanted) + 2 : side
    }

    /// The points of a whole tile, on a line, as bits.
    var linePoints: UInt32 { shims_winograd_points(m, stride, m) }

    /// The points of the last tile, on a line, as bits.
    func lastPoints(_ size: Int) -> UInt32 {
        shims_winograd_points(m, stride, shims_winograd_outputs(m, stride, lastOutputs(size)))
    }

    /// Points of all tiles of an output: multiplications for each pair of channels.
    package func pointCount(height: Int, width: Int) -> Int { pointCount(height) * pointCount(width) }

    private func pointCount(_ size: Int) -> Int {
        (tileCount(size) - 1) * side + lastPoints(size).nonzeroBitCount
    }

    private var weightSide: Int { m + 2 }
}
