// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Leaves {
    /// `1 / (1 + exp(-x))` of floats, in place. Their number is a multiple of the floats of a vector.
    @inline(never)
    package static func sigmoid(_ values: UnsafeMutablePointer<Float>, count: Int) {
        var index = 0
        while index < count {
            store(1 / (1 + exponential(-load(values + index))), values + index)
            index &+= lanes
        }
    }

    /// `x / (1 + exp(-x))` of as many floats, in place.
    @inline(never)
    package static func silu(_ values: UnsafeMutablePointer<Float>, count: Int) {
        var index = 0
        while index < count {
            let value = load(values + index)
            store(value / (1 + exponential(-value)), values + index)
            index &+= lanes
        }
    }
}
