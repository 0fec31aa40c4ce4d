// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The sums of a tile: up to six rows of two vectors, as many as fit into the sixteen registers of AVX2 beside two
/// vectors of the panel and a broadcast factor, so that a step of twelve multiplications needs eight loads.
///
/// Each sum runs over its terms in order, one fused multiplication after the other, so that its bits depend neither on
/// the height of the tile nor on its place in it.
///
/// `rows` is 4, 5 or 6 and a literal wherever it is passed: what a lower tile does not need is gone after inlining.
struct Sums {
    var row00: Vector
    var row01: Vector
    var row10: Vector
    var row11: Vector
    var row20: Vector
    var row21: Vector
    var row30: Vector
    var row31: Vector
    var row40: Vector
    var row41: Vector
    var row50: Vector
    var row51: Vector

    /// Every row starts with the same two vectors.
    @inline(__always)
    init(_ left: Vector, _ right: Vector) {
        (row00, row01) = (left, right)
        (row10, row11) = (left, right)
        (row20, row21) = (left, right)
        (row30, row31) = (left, right)
        (row40, row41) = (left, right)
        (row50, row51) = (left, right)
    }

    /// Adds the products of column `k` of the rows with two vectors of the panel.
    @inline(__always)
    mutating func addProduct(_ rows: Int, _ a: RowAddresses, _ k: Int, _ b: UnsafePointer<Float>) {
        let b0 = load(b)
        let b1 = load(b + lanes)
        let x0 = Vector(repeating: a.row0[k])
        row00 = row00.addingProduct(x0, b0)
        row01 = row01.addingProduct(x0, b1)
        let x1 = Vector(repeating: a.row1[k])
        row10 = row10.addingProduct(x1, b0)
        row11 = row11.addingProduct(x1, b1)
        let x2 = Vector(repeating: a.row2[k])
        row20 = row20.addingProduct(x2, b0)
        row21 = row21.addingProduct(x2, b1)
        let x3 = Vector(repeating: a.row3[k])
        row30 = row30.addingProduct(x3, b0)
        row31 = row31.addingProduct(x3, b1)
        if rows > 4 {
            let x4 = Vector(repeating: a.row4[k])
            row40 = row40.addingProduct(x4, b0)
            row41 = row41.addingProduct(x4, b1)
        }
        if rows > 5 {
            let x5 = Vector(repeating: a.row5[k])
            row50 = row50.addingProduct(x5, b0)
            row51 = row51.addingProduct(x5, b1)
        }
    }

    /// Adds to each row the floats at `channel` of a pixel.
    @inline(__always)
    mutating func add(_ rows: Int, _ pixels: UnsafePointer<UnsafePointer<Float>>, _ channel: Int) {
        row00 += load(pixels[0] + channel)
        row01 += load(pixels[0] + channel + lanes)
        row10 += load(pixels[1] + channel)
        row11 += load(pixels[1] + channel + lanes)
        row20 += load(pixels[2] + channel)
        row21 += load(pixels[2] + channel + lanes)
        row30 += load(pixels[3] + channel)
        row31 += load(pixels[3] + channel + lanes)
        if rows > 4 {
            row40 += load(pixels[4] + channel)
            row41 += load(pixels[4] + channel + lanes)
        }
        if rows > 5 {
            row50 += load(pixels[5] + channel)
            row51 += load(pixels[5] + channel + lanes)
        }
    }

    /// Stores each row at `channel` of a pixel, with nothing below the floor.
    @inline(__always)
    func write(
        _ rows: Int, above floor: Vector, _ pixels: UnsafePointer<UnsafeMutablePointer<Float>>, _ channel: Int
    ) {
        store(rectified(row00, floor), pixels[0] + channel)
        store(rectified(row01, floor), pixels[0] + channel + lanes)
        store(rectified(row10, floor), pixels[1] + channel)
        store(rectified(row11, floor), pixels[1] + channel + lanes)
        store(rectified(row20, floor), pixels[2] + channel)
        store(rectified(row21, floor), pixels[2] + channel + lanes)
        store(rectified(row30, floor), pixels[3] + channel)
        store(rectified(row31, floor), pixels[3] + channel + lanes)
        if rows > 4 {
            store(rectified(row40, floor), pixels[4] + channel)
            store(rectified(row41, floor), pixels[4] + channel + lanes)
        }
        if rows > 5 {
            store(rectified(row50, floor), pixels[5] + channel)
            store(rectified(row51, floor), pixels[5] + channel + lanes)
        }
    }

    /// Stores the rows one behind the other.
    @inline(__always)
    func write(_ rows: Int, _ out: UnsafeMutablePointer<Float>) {
        store(row00, out)
        store(row01, out + lanes)
        store(row10, out + panelWidth)
        store(row11, out + panelWidth + lanes)
        store(row20, out + 2 &* panelWidth)
        store(row21, out + 2 &* panelWidth + lanes)
        store(row30, out + 3 &* panelWidth)
        store(row31, out + 3 &* panelWidth + lanes)
        if rows > 4 {
            store(row40, out + 4 &* panelWidth)
            store(row41, out + 4 &* panelWidth + lanes)
        }
        if rows > 5 {
            store(row50, out + 5 &* panelWidth)
            store(row51, out + 5 &* panelWidth + lanes)
        }
    }
}

/// Where the next column of each row of a tile is.
struct RowAddresses {
    var row0: UnsafePointer<Float>
    var row1: UnsafePointer<Float>
    var row2: UnsafePointer<Float>
    var row3: UnsafePointer<Float>
    var row4: UnsafePointer<Float>
    var row5: UnsafePointer<Float>

    @inline(__always)
    init(_ rows: Int, _ addresses: UnsafePointer<UnsafePointer<Float>>) {
        row0 = addresses[0]
        row1 = addresses[1]
        row2 = addresses[2]
        row3 = addresses[3]
        row4 = rows > 4 ? addresses[4] : row3
        row5 = rows > 5 ? addresses[5] : row3
    }

    @inline(__always)
    init(first: UnsafePointer<Float>, stride: Int) {
        row0 = first
        row1 = row0 + stride
        row2 = row1 + stride
        row3 = row2 + stride
        row4 = row3 + stride
        row5 = row4 + stride
    }

    @inline(__always)
    mutating func advance(_ count: Int) {
        row0 += count
        row1 += count
        row2 += count
        row3 += count
        row4 += count
        row5 += count
    }
}
