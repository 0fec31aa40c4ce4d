// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A matrix with strides in floats, of any sign.
struct StridedMatrix<Pointer> {
    let start: Pointer
    let rowStride: Int
    let columnStride: Int
}

/// Copies a matrix of `rows` x `columns` floats from one pair of strides to another, in tiles small enough that the cache
/// lines of both sides stay in the first-level cache.
func copyTransposed(
    from source: StridedMatrix<UnsafePointer<Float>>, to destination: StridedMatrix<UnsafeMutablePointer<Float>>,
    rows: Int, columns: Int
) {
    // Vectors on both sides: a row is contiguous on one side, a column on the other.
    let hasVectors = source.columnStride == 1 && destination.rowStride == 1
    var row = 0
    while row < rows {
        let tileRows = row..<min(row + tileSize, rows)
        var column = 0
        while column < columns {
            let tileColumns = column..<min(column + tileSize, columns)
            if hasVectors && tileRows.count == tileSize && tileColumns.count == tileSize {
                copyVectors(from: source, to: destination, rows: tileRows, columns: tileColumns)
            } else {
                copyElements(from: source, to: destination, rows: tileRows, columns: tileColumns)
            }
            column = tileColumns.upperBound
        }
        row = tileRows.upperBound
    }
}

/// A cache line of floats; a multiple of the 4 of a vector.
private let tileSize = 16

private func copyElements(
    from source: StridedMatrix<UnsafePointer<Float>>, to destination: StridedMatrix<UnsafeMutablePointer<Float>>,
    rows: Range<Int>, columns: Range<Int>
) {
    for column in columns {
        let from = source.start + column * source.columnStride
        let to = destination.start + column * destination.columnStride
        for row in rows { to[row * destination.rowStride] = from[row * source.rowStride] }
    }
}

private func copyVectors(
    from source: StridedMatrix<UnsafePointer<Float>>, to destination: StridedMatrix<UnsafeMutablePointer<Float>>,
    rows: Range<Int>, columns: Range<Int>
) {
    var column = columns.lowerBound
    while column < columns.upperBound {
        var row = rows.lowerBound
        while row < rows.upperBound {
            let from = source.start + (row * source.rowStride + column)
            let a = load(from)
            let b = load(from + source.rowStride)
            let c = load(from + 2 * source.rowStride)
            let d = load(from + 3 * source.rowStride)
            let to = destination.start + (column * destination.columnStride + row)
            store(SIMD4(a[0], b[0], c[0], d[0]), to)
            store(SIMD4(a[1], b[1], c[1], d[1]), to + destination.columnStride)
            store(SIMD4(a[2], b[2], c[2], d[2]), to + 2 * destination.columnStride)
            store(SIMD4(a[3], b[3], c[3], d[3]), to + 3 * destination.columnStride)
            row += 4
        }
        column += 4
    }
}

@inline(__always)
private func load(_ source: UnsafePointer<Float>) -> SIMD4<Float> {
    UnsafeRawPointer(source).loadUnaligned(as: SIMD4<Float>.self)
}

@inline(__always)
private func store(_ value: SIMD4<Float>, _ destination: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(destination).storeBytes(of: value, as: SIMD4<Float>.self)
}
