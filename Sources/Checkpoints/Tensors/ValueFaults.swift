// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The faults of a tensor's values, found while they are copied.
package struct ValueFaults: BitwiseCopyable, Sendable {
    package private(set) var hasNaN = false
    package private(set) var hasInfinity = false
    /// Whether a finite float64 became an infinite float32.
    package private(set) var hasOverflow = false

    package init() {}

    /// Checks computed values.
    package mutating func note(computed values: UnsafePointer<Float>, count: Int) {
        note(values, count: count, .float32, values, stride: 1)
    }

    /// Checks values converted from `source`.
    @inline(__always)
    mutating func note(
        _ values: UnsafePointer<Float>, count: Int, _ dtype: DType, _ source: UnsafeRawPointer, stride: Int
    ) {
        if shims_all_finite(values, count) != 0 { return }
        classify(values, count: count, dtype, source, stride: stride)
    }

    @inline(never)
    private mutating func classify(
        _ values: UnsafePointer<Float>, count: Int, _ dtype: DType, _ source: UnsafeRawPointer, stride: Int
    ) {
        for index in 0..<count {
            if values[index].isNaN { hasNaN = true }
            guard values[index].isInfinite else { continue }
            let original = source.assumingMemoryBound(to: Double.self)
            if dtype == .float64, original[index &* stride].isFinite { hasOverflow = true } else { hasInfinity = true }
        }
    }
}
