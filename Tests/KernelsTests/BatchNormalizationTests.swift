// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct BatchNormalizationTests {
    struct Case {
        let images: Int
        let height: Int
        let width: Int
        let channels: Int
        let mean: Float
        var seed: UInt64 { UInt64(images * 1000 + channels) }
    }

    static let sweep: [Case] = [(1, 1, 2), (1, 5, 7), (3, 4, 4), (2, 11, 17)].flatMap { images, height, width in
        [1, 3, 8, 15, 16, 17, 32, 67, 72].flatMap { channels in
            // The variance must not drown in a large mean.
            [0, 1e4].map { Case(images: images, height: height, width: width, channels: channels, mean: $0) }
        }
    }

    @Test(arguments: sweep)
    func computesTheStatisticsOfTheBatch(_ testCase: Case) throws {
        var generator = SeededGenerator(seed: testCase.seed)
        let (channels, mean) = (testCase.channels, testCase.mean)
        let values = testCase.images * testCase.height * testCase.width
        let pixels = generator.floats(values * channels, in: (mean - 1)...(mean + 1))
        let batch = TestActivation(
            imageCount: testCase.images, pixels: pixels, height: testCase.height, width: testCase.width,
            channels: channels, border: 1)

        var expectedMean = [Double](repeating: 0, count: channels)
        var expectedVariance = expectedMean
        for channel in 0..<channels {
            let all = stride(from: channel, to: pixels.count, by: channels).map { Double(pixels[$0]) }
            expectedMean[channel] = all.reduce(0, +) / Double(values)
            let squares = all.map { ($0 - expectedMean[channel]) * ($0 - expectedMean[channel]) }
            expectedVariance[channel] = squares.reduce(0, +) / Double(values)
        }

        for kernel in KernelTable.all.map(\.batchStatistics) {
            var first: (mean: ArraySlice<Double>, variance: ArraySlice<Double>)?
            for order in BlockOrder.all(for: kernel.name) {
                let results = TestMemory([Double](repeating: .nan, count: 2 * channels + 2))
                let task = BatchStatisticsTask(
                    input: batch.activation, imageCount: batch.imageCount, mean: results.start,
                    variance: results.start + channels + 1)
                try withExtendedLifetime((batch, results)) { try compute(kernel, task, order: order) }
                #expect(results.start[channels].isNaN && results.start[2 * channels + 1].isNaN)
                let mean = results.elements[..<channels]
                let variance = results.elements[(channels + 1)...].dropLast()
                for channel in 0..<channels {
                    // Sums of `values` terms in Double.
                    let allowed = Double(values + 2) * Double.ulpOfOne * Double(testCase.mean + 1)
                    #expect(abs(mean[channel] - expectedMean[channel]) <= allowed)
                    #expect(abs(variance[channels + 1 + channel] - expectedVariance[channel]) <= allowed)
                }
                #expect(mean == first?.mean ?? mean, "\(kernel.name), \(order), \(testCase)")
                #expect(variance == first?.variance ?? variance, "\(kernel.name), \(order), \(testCase)")
                first = (mean, variance)
            }
        }
    }

    /// Of channels whose first value is far from all others, or not finite.
    @Test(arguments: [1e6, -1e20, .infinity, .nan] as [Float])
    func hasStatisticsWhateverTheFirstValue(_ outlier: Float) throws {
        var generator = SeededGenerator(seed: 77)
        let (channels, size) = (16, 9)
        var pixels = generator.floats(2 * size * size * channels)
        pixels[3] = outlier
        let batch = TestActivation(
            imageCount: 2, pixels: pixels, height: size, width: size, channels: channels, border: 0)
        let count = Double(pixels.count / channels)
        for kernel in KernelTable.all.map(\.batchStatistics) {
            let results = TestMemory([Double](repeating: 0, count: 2 * channels))
            try compute(
                kernel,
                BatchStatisticsTask(
                    input: batch.activation, imageCount: 2, mean: results.start, variance: results.start + channels))
            for channel in 0..<channels {
                let all = stride(from: channel, to: pixels.count, by: channels).map { Double(pixels[$0]) }
                let mean = all.reduce(0, +) / count
                let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
                let (actual, actualVariance) = (results.elements[channel], results.elements[channels + channel])
                if mean.isFinite {
                    #expect(abs(actual - mean) <= 1e-13 * max(1, abs(mean)), "\(kernel.name), channel \(channel)")
                    #expect(abs(actualVariance - variance) <= 1e-12 * variance, "\(kernel.name), channel \(channel)")
                } else {
                    #expect(mean.isNaN ? actual.isNaN : actual == mean, "\(kernel.name), channel \(channel)")
                    #expect(actualVariance.isNaN, "\(kernel.name), channel \(channel)")
                }
            }
        }
    }

    @Test(
        arguments: [(1, 1, 1), (5, 7, 3), (9, 4, 17), (33, 65, 17), (1, 1, 8), (3, 2, 24), (5, 7, 32), (33, 65, 48)],
        [true, false])
    func normalizes(size: (Int, Int, Int), hasResidual: Bool) throws {
        let (height, width, channels) = size
        var generator = SeededGenerator(seed: UInt64(channels))
        let pixels = generator.floats(height * width * channels, in: -3...3)
        let added = generator.floats(height * width * channels)
        let mean = TestMemory(generator.floats(channels).map(Double.init))
        let variance = TestMemory(generator.floats(channels, in: 0...2).map(Double.init))
        let weight = TestMemory(generator.floats(channels))
        let bias = TestMemory(generator.floats(channels))
        let epsilon = 1e-5
        let input = TestActivation(pixels: pixels, height: height, width: width, channels: channels, border: 0)
        let residual = TestActivation(pixels: added, height: height, width: width, channels: channels, border: 2)

        for relu in [true, false] {
            let expected = pixels.indices.map { index in
                let channel = index % channels
                let (mean, bias) = (mean.start[channel], Double(bias.start[channel]))
                let factor = Double(weight.start[channel]) / (variance.start[channel] + epsilon).squareRoot()
                var value = (Double(pixels[index]) - mean) * factor + bias
                var magnitude = (abs(Double(pixels[index])) + abs(mean)) * abs(factor) + abs(bias)
                if hasResidual {
                    value += Double(added[index])
                    magnitude += Double(abs(added[index]))
                }
                return Expected(value: relu ? max(value, 0) : value, magnitude: magnitude)
            }
            for kernel in KernelTable.all.map(\.batchNormalization) {
                var first: [Float]?
                for order in BlockOrder.all(for: kernel.name) {
                    let output = TestActivation(height: height, width: width, channels: channels, border: 1)
                    func task(_ input: Activation, _ output: Activation) -> BatchNormalizationTask {
                        BatchNormalizationTask(
                            input: input, mean: mean.start, variance: variance.start, epsilon: epsilon,
                            weight: weight.start, bias: bias.start,
                            residual: hasResidual ? residual.activation : nil, relu: relu, output: output)
                    }
                    try compute(kernel, task(input.activation, output.activation), order: order)
                    #expect(output.surroundingsAreUntouched)
                    // Mean, difference, factor, product, bias and residual are rounded.
                    expectClose(output.pixels, expected, terms: 7, "\(kernel.name), \(size)")
                    expectSameBits(output.pixels, first ?? output.pixels, "\(kernel.name), \(size), \(order)")
                    first = output.pixels

                    guard order == .forward else { continue }
                    let inPlace = TestActivation(
                        pixels: pixels, height: height, width: width, channels: channels, border: 1)
                    try compute(kernel, task(inPlace.activation, inPlace.activation), order: order)
                    expectSameBits(inPlace.pixels, output.pixels, "\(kernel.name), \(size), in place")
                }
            }
        }
    }
}
