// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A tile of a Winograd convolution: its place among those of all images, and its size in pixels.
struct WinogradTile: BitwiseCopyable {
    let image: Int
    let row: Int
    let column: Int
    let rows: Int
    let columns: Int
    /// Whether it does not have all points for want of rows, or of columns.
    let isLow: Bool
    let isNarrow: Bool
}

/// Some tiles that follow each other, row by row and image by image, in the order of their transforms in memory:
/// first those that are low (at the lower edge of an image that does not end with a whole tile), then the whole ones, then
/// the narrow ones, then those that are both. So the tiles that have a point are contiguous; low and narrow ones lack
/// some points.
struct WinogradGroup {
    private let blocking: WinogradBlocking
    private let tiles: Range<Int>
    private let low: Int
    private let whole: Int
    private let narrow: Int

    init(_ blocking: WinogradBlocking, _ tiles: Range<Int>) {
        self.blocking = blocking
        self.tiles = tiles
        var (low, whole, narrow) = (0, 0, 0)
        for index in tiles {
            let tile = blocking.tile(index)
            if !tile.isLow && !tile.isNarrow { whole += 1 }
            if tile.isLow && !tile.isNarrow { low += 1 }
            if tile.isNarrow && !tile.isLow { narrow += 1 }
        }
        (self.low, self.whole, self.narrow) = (low, whole, narrow)
    }

    /// Calls `body` with each tile, its index among all, and its place in the group.
    func forEach(_ body: (_ tile: WinogradTile, _ index: Int, _ place: Int) -> Void) {
        var nextLow = 0
        var nextWhole = low
        var nextNarrow = low + whole
        var nextBoth = low + whole + narrow
        for index in tiles {
            let tile = blocking.tile(index)
            switch (tile.isLow, tile.isNarrow) {
            case (true, false): body(tile, index, advance(&nextLow))
            case (false, false): body(tile, index, advance(&nextWhole))
            case (false, true): body(tile, index, advance(&nextNarrow))
            case (true, true): body(tile, index, advance(&nextBoth))
            }
        }
    }

    private func advance(_ next: inout Int) -> Int {
        next += 1
        return next - 1
    }

    /// The places of the tiles that have a point which low tiles have or not, and narrow ones.
    func places(ofLow: Bool, ofNarrow: Bool) -> Range<Int> {
        let first = ofLow ? 0 : low
        if !ofNarrow { return first..<low + whole }
        return first..<(ofLow ? tiles.count : low + whole + narrow)
    }
}
