// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Copies element (row, column) of one matrix to element (row, column) of another, each with strides of its own, in tiles
/// small enough that the cache lines of both stay in the first-level cache.
func copyTransposed(
    from source: UnsafePointer<Float>, rows: Int, columns: Int, sourceRowStride: Int, sourceColumnStride: Int,
    to destination: UnsafeMutablePointer<Float>, columnStride: Int, rowStride: Int
) {
    var row = 0
    while row < rows {
        let rowEnd = min(row + tileSize, rows)
        var column = 0
        while column < columns {
            let columnEnd = min(column + tileSize, columns)
            copyTile(
                from: source, sourceRowStride, sourceColumnStride, to: destination, rowStride, columnStride,
                rows: row..<rowEnd, columns: column..<columnEnd)
            column = columnEnd
        }
        row = rowEnd
    }
}

/// A cache line of floats.
private let tileSize = 16

@inline(__always)
private func copyTile(
    from source: UnsafePointer<Float>, _ sourceRowStride: Int, _ sourceColumnStride: Int,
    to destination: UnsafeMutablePointer<Float>, _ rowStride: Int, _ columnStride: Int, rows: Range<Int>,
    columns: Range<Int>
) {
    for column in columns {
        let from = source + column * sourceColumnStride
        let to = destination + column * columnStride
        for row in rows { to[row * rowStride] = from[row * sourceRowStride] }
    }
}
