// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Runs of any length as octets, the last with perhaps fewer lanes: one loop for both, and equal values give equal bits
// at any position.

/// Calls `body` with the index of each octet of a run, and the number of its lanes in the run.
@inline(__always)
func forEachOctet(_ count: Int, _ body: (_ index: Int, _ lanes: Int) -> Void) {
    var index = 0
    while index + 8 <= count {
        body(index, 8)
        index += 8
    }
    if index < count { body(index, count - index) }
}

extension UnsafePointer<Float> {
    /// The first `lanes` values, and zeros after them.
    @inline(__always)
    func octet(_ lanes: Int) -> SIMD8<Float> {
        guard lanes < 8 else { return octet }
        var values = SIMD8<Float>.zero
        for lane in 0..<lanes { values[lane] = self[lane] }
        return values
    }
}

extension UnsafeMutablePointer<Float> {
    @inline(__always)
    func octet(_ lanes: Int) -> SIMD8<Float> { UnsafePointer(self).octet(lanes) }

    /// Writes the first `lanes` values alone.
    @inline(__always)
    func store(_ octet: SIMD8<Float>, _ lanes: Int) {
        guard lanes < 8 else { return store(octet) }
        for lane in 0..<lanes { self[lane] = octet[lane] }
    }

    /// Replaces the first `lanes` values by a gradient, or adds the gradient to them.
    @inline(__always)
    func write(_ gradient: SIMD8<Float>, _ lanes: Int, accumulates: Bool) {
        store(accumulates ? octet(lanes) + gradient : gradient, lanes)
    }
}

extension UnsafeMutablePointer<Double> {
    /// Writes the first `lanes` values alone.
    @inline(__always)
    func store(_ octet: SIMD8<Double>, _ lanes: Int) {
        guard lanes < 8 else { return store(octet) }
        for lane in 0..<lanes { self[lane] = octet[lane] }
    }
}
