// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sums the squares of values in Double: those of a norm. A sum is not finite exactly if one of its values is not.
///
/// Each block has a sum of its own. Value `i` of a block is added to partial sum `i % 32`, and these then in order, by
/// every kernel. The square of a Float has no rounding error in Double, so all have the same bits.
package struct SquaredSumsTask: KernelTask {
    package let values: UnsafePointer<Float>
    package let count: Int
    /// `parameterBlockCount(count)` of them, replaced.
    package let sums: UnsafeMutablePointer<Double>

    package init(values: UnsafePointer<Float>, count: Int, sums: UnsafeMutablePointer<Double>) {
        self.values = values
        self.count = count
        self.sums = sums
    }
}

extension SquaredSumsTask {
    package func assertContract() {
        assert(count >= 0, "the number of values is negative")
    }

    var blockCount: Int { parameterBlockCount(count) }

    /// The values of a block.
    func part(_ block: Int) -> UnsafeBufferPointer<Float> {
        let range = parameterBlock(block, of: count)
        return UnsafeBufferPointer(start: values + range.lowerBound, count: range.count)
    }

    /// The partial sums of a block.
    typealias PartialSums = InlineArray<32, Double>

    /// Adds the last values of a block, fewer than 32, to its partial sums, and stores the sum of all.
    func finish(_ block: Int, _ partialSums: PartialSums, rest: UnsafeBufferPointer<Float>) {
        var sums = partialSums
        for index in 0..<rest.count { sums[index] += Double(rest[index]) * Double(rest[index]) }
        var sum = 0.0
        for index in 0..<sums.count { sum += sums[index] }
        self.sums[block] = sum
    }
}
