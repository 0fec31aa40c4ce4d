// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime
import Testing

@testable import Execution

/// Bands of rows only change the order of what is computed: the features are the same bits.
struct BandTests {
    struct Case: Sendable {
        let depth: Int32
        let stages: UInt32
        let height: Int
        let width: Int
        var style = Style.pytorch.rawValue
    }

    /// Small enough for kernels without optimization.
    static let cases = [
        Case(depth: 18, stages: 3, height: 803, width: 7),
        Case(depth: 18, stages: 1, height: 397, width: 21),
        Case(depth: 50, stages: 1, height: 301, width: 25),
        Case(depth: 50, stages: 2, height: 402, width: 13, style: Style.caffe.rawValue),
        // Bands where a tile has more rows than an image.
        Case(depth: 18, stages: 3, height: 21, width: 300),
        Case(depth: 50, stages: 1, height: 3, width: 801),
    ]

    @Test(arguments: cases, [0, 1])
    func featuresAreTheSameBits(_ testCase: Case, kernels: Int) throws {
        let table = kernels == 0 ? try KernelTable.best() : KernelTable.reference
        var generator = SplitMix(state: 7)
        let pixels = (0..<3 * testCase.height * testCase.width).map { _ in generator.next() }
        let image = ForwardCase.Image(pixels: pixels, shape: Dimensions(1, 3, testCase.height, testCase.width))
        // The most bands for which the weights leave room, others, and none.
        var bandCounts: [Int] = []
        let results: [[[Float]]] = try [25_000, 60_000, Int.max].map { cachedFloats in
            let forward = try ForwardCase(testCase, table, cachedFloats: cachedFloats)
            bandCounts.append(forward.bandCount)
            return try forward.features(of: image)
        }
        #expect(bandCounts[0] > 2 || testCase.height < 100)
        #expect(bandCounts[2] == 1)
        #expect(results[2].contains { $0.contains { $0 != 0 } })
        for result in results.dropLast() { expectSameBits(result, results[2]) }
    }

    /// Bands of several images in bytes, with their channels reversed and in any order of memory, into rows with gaps.
    @Test(
        arguments: [
            Case(depth: 18, stages: 3, height: 703, width: 7),
            Case(depth: 50, stages: 1, height: 151, width: 25, style: Style.caffe.rawValue),
        ], [0, 1])
    func bandsReadAndWriteInAnyStrides(_ testCase: Case, kernels: Int) throws {
        let table = kernels == 0 ? try KernelTable.best() : KernelTable.reference
        var generator = SplitMix(state: 8)
        let (images, height, width) = (2, testCase.height, testCase.width)
        let pixels = (0..<images * 3 * height * width).map { _ in ((generator.next() + 1) * 127).rounded() }
        let shape = Dimensions(images, 3, height, width)
        let normalization = ForwardCase.Normalization(
            mean: [123, 116, 103], deviation: [58, 57, 56], reversesChannels: true, includesFloats: true)
        let plain = try ForwardCase(testCase, table, cachedFloats: .max, normalization)
        let expected = try plain.features(of: ForwardCase.Image(pixels: pixels, shape: shape))
        let banded = try ForwardCase(testCase, table, cachedFloats: 25_000, normalization)
        #expect(plain.bandCount == 1 && banded.bandCount > 2)
        // The reference kernels, without optimization, take long.
        let layouts = [(true, true), (true, false), (false, true), (false, false)].prefix(kernels == 0 ? 4 : 1)
        for (isBytes, isChannelsLast) in layouts {
            let image = ForwardCase.Image(
                pixels: pixels, shape: shape, isBytes: isBytes, isChannelsLast: isChannelsLast, rowGap: 7, imageGap: 11)
            expectSameBits(try banded.features(of: image, rowGap: 5, imageGap: 3), expected)
        }
    }

    /// The last images of a batch may be fewer than those before them, and then want more memory: an assertion of `Launch`
    /// ends the process where it was not measured.
    @Test(arguments: [100, 120])
    func lastImagesHaveTheirMemory(count: Int) throws {
        let testCase = Case(depth: 18, stages: 1, height: 32, width: 32)
        let forward = try ForwardCase(
            testCase, try KernelTable.best(), baseChannels: 64, cachedFloats: Planner.cachedFloats)
        var generator = SplitMix(state: 12)
        let pixels = (0..<3 * 32 * 32).map { _ in generator.next() }
        let single = ForwardCase.Image(pixels: pixels, shape: Dimensions(1, 3, 32, 32))
        let expected: [Float] = try forward.features(of: single)[0]
        let batch = ForwardCase.Image(
            pixels: Array(repeatElement(pixels, count: count).joined()), shape: Dimensions(count, 3, 32, 32))
        let features: [Float] = try forward.features(of: batch)[0]
        expectSameBits([features], [Array(repeatElement(expected, count: count).joined())])
    }

    /// Shares, and groups of images at one step, only change the order of what is computed in evaluation; in training all
    /// images go together.
    @Test(arguments: [false, true])
    func imagesOfABatchGoInAnyShares(trains: Bool) throws {
        let table = try KernelTable.best()
        let testCase = Case(depth: 18, stages: 11, height: 20, width: 24)
        var generator = SplitMix(state: 10)
        // Images that differ as a whole: statistics of some are not those of all.
        let imageSize = 3 * 20 * 24
        let pixels = (0..<5 * imageSize).map { (index: Int) -> Float in
            let brightness = Float(1 + index / imageSize)
            return (generator.next() + 1) * brightness
        }
        let image = ForwardCase.Image(pixels: pixels, shape: Dimensions(5, 3, 20, 24), isChannelsLast: true)
        let network = try Network(
            Configuration(
                depth: 18, inChannels: 3, baseChannels: 16, outStages: 11, normEval: 0, zeroInitResidual: 0))
        let planner = Planner(kernels: table.convolutions, isDirect: false, segmentCount: 9)
        let program = try Lowering.program(network.graph)
        let floats = try Plan(program, planner, height: 20, width: 24, addsInPlace: !trains).activationCount
        var expected: (features: [[Float]], batches: Int64, last: [Float])?
        // All in one; in shares of 2, 2 and 1; one by one in every step; both.
        for (batchFloats, cachedFloats) in [(1 << 40, Int.max), (2 * floats, .max), (1 << 40, 1), (2 * floats, 1)] {
            let forward = try ForwardCase(testCase, table, cachedFloats: cachedFloats, batchFloats: batchFloats)
            if trains { try forward.train() }
            let features = try forward.features(of: image, rowGap: 1, imageGap: 2)
            let (batches, last) = try forward.statistics()
            let first = expected ?? (features, batches, last)
            expected = first
            expectSameBits(features, first.features)
            #expect(batches == (trains ? 1 : 0) && last == first.last)
            #expect(Set(last).count > 20 || !trains)
        }
    }

    /// Weights that were packed for one mode are not used in the other.
    @Test func modesOnOneSessionAreIndependent() throws {
        let table = try KernelTable.best()
        let testCase = Case(depth: 18, stages: 3, height: 20, width: 24)
        var generator = SplitMix(state: 11)
        let pixels = (0..<2 * 3 * 20 * 24).map { _ in generator.next() }
        let image = ForwardCase.Image(pixels: pixels, shape: Dimensions(2, 3, 20, 24))
        let first = try ForwardCase(testCase, table, cachedFloats: .max)
        let second = try ForwardCase(testCase, table, cachedFloats: .max)
        // The one starts in evaluation, the other in training.
        let untrained = try first.features(of: image)
        try first.train()
        try second.train()
        let inTraining = try second.features(of: image)
        expectSameBits(try first.features(of: image), inTraining)
        #expect(try first.statistics().last == second.statistics().last && first.statistics().batches == 1)
        try first.train(false)
        try second.train(false)
        let trained = try second.features(of: image)
        expectSameBits(try first.features(of: image), trained)
        #expect(trained != untrained && trained != inTraining)
        // Nor are the biases of evaluation.
        let third = try ForwardCase(testCase, table, cachedFloats: .max)
        try third.train()
        _ = try third.features(of: image)
        try first.train()
        expectSameBits(try first.features(of: image), try third.features(of: image))
        #expect(try first.statistics().last == third.statistics().last && first.statistics().batches == 2)
    }

    /// The memory of a pass is measured once for a size: it is enough for whatever is frozen later.
    @Test func unfreezingAfterAForward() throws {
        let table = try KernelTable.best()
        let testCase = Case(depth: 18, stages: 3, height: 20, width: 24)
        var generator = SplitMix(state: 12)
        let pixels = (0..<2 * 3 * 20 * 24).map { _ in generator.next() }
        let image = ForwardCase.Image(pixels: pixels, shape: Dimensions(2, 3, 20, 24))
        let first = try ForwardCase(testCase, table, cachedFloats: .max)
        try first.train()
        // All but the last stage, then nothing.
        try first.freeze(1)
        let frozen = try first.features(of: image)
        try first.freeze(-1)
        let second = try ForwardCase(testCase, table, cachedFloats: .max)
        try second.train()
        try second.freeze(1)
        expectSameBits(frozen, try second.features(of: image))
        let third = try ForwardCase(testCase, table, cachedFloats: .max)
        try third.train()
        let free = try first.features(of: image)
        // The stem has kept its statistics; the last stage, which has seen one more batch, normalises with the batch's own.
        expectSameBits(free, try third.features(of: image))
        #expect(free != frozen)
        #expect(try first.statistics().batches == 1 && third.statistics().batches == 1)
    }

    /// What one size has left in a session's plans, packed weights and memory means nothing to another one.
    @Test func sizesOnOneSessionAreIndependent() throws {
        let table = try KernelTable.best()
        let testCase = Case(depth: 18, stages: 15, height: 1, width: 1)
        let together = try ForwardCase(testCase, table, cachedFloats: 25_000)
        var generator = SplitMix(state: 9)
        for (height, width) in [(40, 24), (40, 33), (33, 40), (40, 24), (24, 40), (70, 33), (40, 33)] {
            let pixels = (0..<3 * height * width).map { _ in generator.next() }
            let image = ForwardCase.Image(pixels: pixels, shape: Dimensions(1, 3, height, width))
            let alone = try ForwardCase(testCase, table, cachedFloats: 25_000)
            expectSameBits(try together.features(of: image), try alone.features(of: image))
        }
    }

    private func expectSameBits(
        _ actual: [[Float]], _ expected: [[Float]], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (stage, (actual, expected)) in zip(actual, expected).enumerated() {
            let differing = zip(actual, expected).enumerated().filter { $1.0.bitPattern != $1.1.bitPattern }.map(
                \.offset)
            #expect(
                differing.isEmpty && actual.count == expected.count,
                "output \(stage): \(differing.count) of \(actual.count) differ, the first at \(differing.first ?? -1)",
                sourceLocation: sourceLocation)
        }
    }
}

/// Numbers between -1 and 1 that are the same each time (Steele et al. 2014, "Fast splittable pseudorandom number
/// generators").
struct SplitMix {
    var state: UInt64

    mutating func next() -> Float {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return Float(Int32(truncatingIfNeeded: (bits ^ bits >> 31) >> 32)) / 0x1p31
    }
}
