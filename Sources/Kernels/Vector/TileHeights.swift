// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Rows cut into tiles of at least 4, as few as possible and as equal as possible. A tile has more rows than are left,
/// 4 instead of fewer, only for less than 4 rows in all, or for 7 if no tile is that high.
struct TileHeights: BitwiseCopyable {
    /// The most rows of a tile of a convolution; a product's may be higher.
    static let maximum = 6
    static let minimum = 4

    let count: Int
    private let base: Int
    /// The number of first tiles that have a row more than `base`.
    private let larger: Int

    /// - Parameter most: Rows of the highest tile.
    init(rows: Int, most: Int = TileHeights.maximum) {
        count = divideRoundingUp(rows, most)
        (base, larger) = rows.quotientAndRemainder(dividingBy: max(count, 1))
    }

    /// The first row of tile `index`.
    func start(of index: Int) -> Int { index * base + min(index, larger) }

    /// The number of rows of tile `index`.
    func rows(of index: Int) -> Int { base + (index < larger ? 1 : 0) }

    /// The number of rows that it computes, at least 4.
    func height(of index: Int) -> Int { max(rows(of: index), TileHeights.minimum) }
}
