// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The sums of a tile: some rows of two vectors, as many as fit into the registers beside two vectors of the panel and a
/// broadcast factor. With AVX2 these are six, so that a step of twelve multiplications needs eight loads.
///
/// Each sum runs over its terms in order, one fused multiplication after the other, so that its bits depend neither on
/// the height of the tile nor on its place in it.
///
/// `rows` is a literal wherever it is passed: after inlining, loops over rows are gone, and the vectors are registers.
struct Sums {
    /// Two for each row.
    var vectors: TileVectors

    /// Every row starts with the same two vectors.
    @inline(__always)
    init(_ rows: Int, _ left: Vector, _ right: Vector) {
        vectors = TileVectors { _ in .zero }
        for row in 0..<rows {
            vectors[unchecked: 2 &* row] = left
            vectors[unchecked: 2 &* row &+ 1] = right
        }
    }

    /// Adds the products of `count` columns with as many times two vectors of the panel, and moves all addresses past
    /// them. On the way it asks for memory that will be needed soon: a cache line for every `columnsPerPrefetch`
    /// columns.
    @inline(__always)
    mutating func addProducts<Rows: TileRows>(
        _ rows: Int, _ a: inout Rows, _ count: Int, _ b: inout UnsafePointer<Float>,
        _ prefetch: inout UnsafeRawPointer, _ prefetchStep: Int
    ) {
        var left = count
        while left >= columnsPerPrefetch {
            shims_prefetch(prefetch)
            // Not a loop: Embedded Swift would leave it one, and the sums in memory. The columns are one or two.
            addColumn(rows, a, 0, b)
            if columnsPerPrefetch == 2 { addColumn(rows, a, 1, b + panelWidth) }
            a.advance(columnsPerPrefetch)
            b += columnsPerPrefetch &* panelWidth
            prefetch += prefetchStep
            left &-= columnsPerPrefetch
        }
        while left > 0 {
            addColumn(rows, a, 0, b)
            a.advance(1)
            b += panelWidth
            left &-= 1
        }
    }

    /// Adds the products of a column of the rows with two vectors of the panel.
    @inline(__always)
    private mutating func addColumn<Rows: TileRows>(
        _ rows: Int, _ a: Rows, _ column: Int, _ b: UnsafePointer<Float>
    ) {
        let left = load(b)
        let right = load(b + lanes)
        for row in 0..<rows {
            let factor = Vector(repeating: a.address(of: row)[column])
            vectors[unchecked: 2 &* row] = addProduct(vectors[unchecked: 2 &* row], factor, left)
            vectors[unchecked: 2 &* row &+ 1] = addProduct(vectors[unchecked: 2 &* row &+ 1], factor, right)
        }
    }

    /// Adds to each row the floats at `channel` of a pixel.
    @inline(__always)
    mutating func add(_ rows: Int, _ pixels: UnsafePointer<UnsafePointer<Float>>, _ channel: Int) {
        for row in 0..<rows {
            vectors[unchecked: 2 &* row] += load(pixels[row] + channel)
            vectors[unchecked: 2 &* row &+ 1] += load(pixels[row] + channel + lanes)
        }
    }

    /// Stores each row at `channel` of a pixel, with nothing below the floor.
    @inline(__always)
    func write(
        _ rows: Int, above floor: Vector, _ pixels: UnsafePointer<UnsafeMutablePointer<Float>>, _ channel: Int
    ) {
        for row in 0..<rows {
            store(rectified(vectors[unchecked: 2 &* row], floor), pixels[row] + channel)
            store(rectified(vectors[unchecked: 2 &* row &+ 1], floor), pixels[row] + channel + lanes)
        }
    }

    /// Stores the rows in sequence.
    @inline(__always)
    func write(_ rows: Int, _ out: UnsafeMutablePointer<Float>) {
        for index in 0..<2 &* rows { store(vectors[unchecked: index], out + index &* lanes) }
    }
}
