// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The columns of eight rows of eight floats that lie `stride` floats apart.
struct TransposedSquare {
    private let rows: InlineArray<8, SIMD8<Float>>

    @inline(__always)
    init(_ source: UnsafePointer<Float>, stride: Int) {
        rows = InlineArray { row in loadEight(source + row &* stride) }
    }

    @inline(__always)
    func column(_ index: Int) -> SIMD8<Float> {
        SIMD8(
            rows[unchecked: 0][index], rows[unchecked: 1][index], rows[unchecked: 2][index], rows[unchecked: 3][index],
            rows[unchecked: 4][index], rows[unchecked: 5][index], rows[unchecked: 6][index], rows[unchecked: 7][index])
    }
}
