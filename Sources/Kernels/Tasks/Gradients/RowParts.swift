// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The rows of all images of a batch, cut into parts whose sums are added one after the other: by the sizes alone, so that
/// the bits depend neither on threads nor on the width of vectors.
struct RowParts {
    let rowCount: Int
    let count: Int
    private let height: Int

    /// - Parameter wanted: The wanted number of parts, if the rows are enough.
    init(imageCount: Int, height: Int, wanted: Int) {
        self.height = height
        rowCount = imageCount * height
        count = max(1, min(wanted, rowCount))
    }

    subscript(part: Int) -> Range<Int> { blockRange(part, of: count, count: rowCount) }

    /// The image of a row, and the row in it.
    func place(_ row: Int) -> (image: Int, row: Int) {
        let (image, row) = row.quotientAndRemainder(dividingBy: height)
        return (image, row)
    }

    /// Rows of the largest part.
    var mostRows: Int { divideRoundingUp(rowCount, count) }
}
