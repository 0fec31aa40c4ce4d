// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Rows cut into tiles of at least 4, as few as possible and as equal as possible. A tile has more rows than are left,
/// 4 instead of fewer, only for less than 4 rows in all, or for 7 if no tile is that high.
struct TileHeights: BitwiseCopyable {
    /// Of a tile of a convolution; a product's may be higher.
    static let maximum = 6
    static let minimum = 4

    let count: Int
    private let base: Int
    /// So many tiles, the first ones, have a row more than `base`.
    private let larger: Int

    /// - Parameter most: Rows of the highest tile.
    init(rows: Int, most: Int = TileHeights.maximum) {
        count = divideRoundingUp(rows, most)
        (base, larger) = rows.quotientAndRemainder(dividingBy: max(count, 1))
    }

    /// Where tile `index` begins.
    func start(of index: Int) -> Int { index * base + min(index, larger) }

    /// How many rows tile `index` has.
    func rows(of index: Int) -> Int { base + (index < larger ? 1 : 0) }

    /// How many rows it computes, at least 4.
    func height(of index: Int) -> Int { max(rows(of: index), TileHeights.minimum) }
}
