// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How many points Winograd's F(m x m, 3 x 3) has: m + 2 on a line at stride 1; at stride 2, where the samples that the
/// second weight meets are points of their own, 2 m + 1.
package struct WinogradGeometry: BitwiseCopyable {
    /// Output pixels of a tile in each direction.
    let m: Int
    /// Points of a line, as many as pixels of the input.
    let side: Int

    package init(m: Int, stride: Int) {
        self.m = m
        side = stride == 1 ? m + 2 : 2 * m + 1
    }

    /// Points of a tile: multiplications for each pair of channels.
    package var points: Int { side * side }

    /// Points with weights of their own, the same at either stride.
    package var weightPoints: Int { weightSide * weightSide }

    /// Which of the transformed weights a point is multiplied by. At stride 2 the last points of a line share theirs.
    func weightPoint(of point: Int) -> Int {
        let (row, column) = point.quotientAndRemainder(dividingBy: side)
        return min(row, weightSide - 1) * weightSide + min(column, weightSide - 1)
    }

    /// Tiles of an output.
    package func tileCount(height: Int, width: Int) -> Int { tileRows(height) * tileColumns(width) }
    func tileRows(_ height: Int) -> Int { divideRoundingUp(height, m) }
    func tileColumns(_ width: Int) -> Int { divideRoundingUp(width, m) }

    private var weightSide: Int { m + 2 }
}
