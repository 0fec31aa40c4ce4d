// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The columns of eight rows of eight floats that are `stride` floats apart.
struct TransposedSquare {
    private var columns = InlineArray<8, SIMD8<Float>>(repeating: .zero)

    @inline(__always)
    init(_ source: UnsafePointer<Float>, stride: Int) {
        withUnsafeMutablePointer(to: &columns) {
            shims_transpose_square8(source, stride, UnsafeMutableRawPointer($0).assumingMemoryBound(to: Float.self))
        }
    }

    @inline(__always)
    func column(_ index: Int) -> SIMD8<Float> { columns[unchecked: index] }
}
