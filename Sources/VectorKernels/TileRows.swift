// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The addresses of the next column of each row of a tile.
protocol TileRows {
    func address(of row: Int) -> UnsafePointer<Float>
    mutating func advance(_ count: Int)
}

/// Rows anywhere in memory.
struct ScatteredRows: TileRows {
    private var addresses: InlineArray<6, UnsafePointer<Float>>

    @inline(__always)
    init(_ rows: Int, _ addresses: UnsafePointer<UnsafePointer<Float>>, offset: Int) {
        self.addresses = InlineArray { row in addresses[row < rows ? row : 0] + offset }
    }

    @inline(__always)
    func address(of row: Int) -> UnsafePointer<Float> { addresses[unchecked: row] }

    @inline(__always)
    mutating func advance(_ count: Int) {
        for row in 0..<addresses.count { addresses[unchecked: row] += count }
    }
}

/// Rows of a matrix.
struct MatrixRows: TileRows {
    private var first: UnsafePointer<Float>
    private let stride: Int

    @inline(__always)
    init(_ first: UnsafePointer<Float>, stride: Int) {
        self.first = first
        self.stride = stride
    }

    @inline(__always)
    func address(of row: Int) -> UnsafePointer<Float> { first + row &* stride }

    @inline(__always)
    mutating func advance(_ count: Int) { first += count }
}
