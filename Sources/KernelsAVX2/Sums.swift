// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The sums of a tile: up to six rows of sixteen columns, as many as fit into the sixteen registers of AVX2 beside two
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

    /// Every row starts with the same sixteen values.
    @inline(__always)
    init(_ left: Vector, _ right: Vector) {
        (row00, row01) = (left, right)
        (row10, row11) = (left, right)
        (row20, row21) = (left, right)
        (row30, row31) = (left, right)
        (row40, row41) = (left, right)
        (row50, row51) = (left, right)
    }

    /// Adds the products of column `k` of the rows with sixteen floats of the panel.
    @inline(__always)
    mutating func addProduct(_ rows: Int, _ a: RowAddresses, _ k: Int, _ b: UnsafePointer<Float>) {
        let b0 = load(b)
        let b1 = load(b + 8)
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

    /// Adds the products of `count` columns with as many times sixteen floats of the panel, and moves all addresses
    /// behind them. On the way it asks for memory that will be needed soon: a cache line for every four columns.
    @inline(__always)
    mutating func addProducts(
        _ rows: Int, _ a: inout RowAddresses, _ count: Int, _ b: inout UnsafePointer<Float>,
        _ prefetch: inout UnsafeRawPointer, _ prefetchStep: Int
    ) {
        var left = count
        while left >= 4 {
            shims_prefetch(prefetch)
            addProduct(rows, a, 0, b)
            addProduct(rows, a, 1, b + 16)
            addProduct(rows, a, 2, b + 32)
            addProduct(rows, a, 3, b + 48)
            a.advance(4)
            b += 64
            prefetch += prefetchStep
            left &-= 4
        }
        while left > 0 {
            addProduct(rows, a, 0, b)
            a.advance(1)
            b += 16
            left &-= 1
        }
    }

    /// Stores the rows one behind the other.
    @inline(__always)
    func store(_ rows: Int, _ out: UnsafeMutablePointer<Float>) {
        store(row00, row01, out)
        store(row10, row11, out + 16)
        store(row20, row21, out + 32)
        store(row30, row31, out + 48)
        if rows > 4 { store(row40, row41, out + 64) }
        if rows > 5 { store(row50, row51, out + 80) }
    }

    @inline(__always)
    private func store(_ left: Vector, _ right: Vector, _ address: UnsafeMutablePointer<Float>) {
        KernelsAVX2.store(left, address)
        KernelsAVX2.store(right, address + 8)
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
