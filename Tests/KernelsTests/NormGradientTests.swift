// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct NormGradientTests {
    struct Case {
        let imageCount: Int
        let height: Int
        let width: Int
        let channels: Int
        let hasReLU: Bool
        let hasInput: Bool
    }

    static let sweep: [Case] = [
        (1, 1, 1, 1), (2, 3, 5, 7), (3, 4, 4, 8), (1, 9, 7, 24), (2, 31, 17, 64), (5, 7, 7, 130), (2, 40, 33, 48),
    ].flatMap { size in
        [(true, true), (true, false), (false, true), (false, false)].map { flags in
            Case(
                imageCount: size.0, height: size.1, width: size.2, channels: size.3, hasReLU: flags.0,
                hasInput: flags.1)
        }
    }

    /// A batch of pixels in the order image, row, column, channel.
    private func batch(_ testCase: Case, _ pixels: [Float], border: Int) -> TestActivation {
        let batch = TestActivation(
            imageCount: testCase.imageCount, height: testCase.height, width: testCase.width,
            channels: testCase.channels,
            border: border)
        batch.set(pixels)
        return batch
    }

    @Test(arguments: sweep)
    func sumsAgreeWithTheDefinition(_ testCase: Case) throws {
        var generator = SeededGenerator(seed: UInt64(testCase.channels))
        let count = testCase.imageCount * testCase.height * testCase.width * testCase.channels
        var gradients = generator.floats(count)
        var results = generator.floats(count)
        // At both zeros nothing passes, not even infinity; a NaN result lets the gradient pass.
        for index in stride(from: 2, to: count, by: 11) { results[index] = index % 2 == 0 ? 0 : -0.0 }
        for index in stride(from: 2, to: count, by: 121) { gradients[index] = .infinity }
        if testCase.hasReLU {
            for index in stride(from: 5, to: count, by: 29) where gradients[index].isFinite { results[index] = .nan }
        }
        if !testCase.hasReLU { gradients = gradients.map { $0.isFinite ? $0 : 1 } }
        let inputs = generator.floats(count, in: 5...7)
        let means = TestMemory(generator.floats(testCase.channels, in: 5...7).map(Double.init))
        let masked = zip(gradients, results).map { testCase.hasReLU && $1 <= 0 ? 0 : $0 }
        let (result, input) = (batch(testCase, results, border: 1), batch(testCase, inputs, border: 0))
        for kernel in [ReferenceNormGradientSums.kernel, PortableNormGradientSums.kernel]
            + KernelTable.all.map(\.gradients.normSums)
        {
            var first: [Double]?
            for order in BlockOrder.all(for: kernel.name) {
                let gradient = batch(testCase, gradients, border: 2)
                let sums = TestMemory([Double](repeating: .nan, count: testCase.channels))
                let productSums = TestMemory([Double](repeating: .nan, count: testCase.channels))
                let task = NormGradientSumsTask(
                    imageCount: testCase.imageCount, gradient: gradient.activation,
                    result: testCase.hasReLU ? result.activation : nil, masked: gradient.activation,
                    input: testCase.hasInput ? input.activation : nil, mean: means.start, sum: sums.start,
                    productSum: productSums.start)
                try compute(kernel, task, order: order)
                #expect(gradient.surroundingsAreUntouched)
                expectSameBits(gradient.pixels, masked, "\(kernel.name), \(testCase)")
                for channel in 0..<testCase.channels {
                    let of = stride(from: channel, to: count, by: testCase.channels)
                    let sum = of.reduce(0.0) { $0 + Double(masked[$1]) }
                    #expect(abs(sums.elements[channel] - sum) <= 1e-12 * Double(count), "\(kernel.name), \(testCase)")
                    guard testCase.hasInput else { continue }
                    let productSum = of.reduce(0.0) {
                        $0 + Double(masked[$1]) * (Double(inputs[$1]) - means.elements[channel])
                    }
                    #expect(
                        abs(productSums.elements[channel] - productSum) <= 1e-11 * Double(count),
                        "\(kernel.name), \(testCase)")
                }
                #expect((first ?? sums.elements) == sums.elements, "\(kernel.name), \(order)")
                first = sums.elements
            }
        }
    }

    /// Against finite differences of BatchNorm with the statistics of the batch, in Double.
    @Test(arguments: sweep.filter { $0.hasInput && $0.hasReLU && $0.imageCount * $0.height * $0.width > 1 })
    func batchNormalizationGradientIsTheDerivative(_ testCase: Case) throws {
        var generator = SeededGenerator(seed: UInt64(testCase.height))
        let count = testCase.imageCount * testCase.height * testCase.width * testCase.channels
        let gradients = generator.floats(count)
        let inputs = generator.floats(count, in: -2...3)
        let weights = TestMemory(generator.floats(testCase.channels, in: 0.5...2))
        let statistics = (0..<testCase.channels).map { channel in
            Statistics(inputs, gradients, channel: channel, of: testCase.channels)
        }
        let means = TestMemory(statistics.map(\.mean))
        let variances = TestMemory(statistics.map(\.variance))
        let sums = TestMemory(statistics.map(\.sum))
        let productSums = TestMemory(statistics.map(\.productSum))
        let input = batch(testCase, inputs, border: 1)
        for kernel in [ReferenceBatchNormalizationGradient.kernel, PortableBatchNormalizationGradient.kernel]
            + KernelTable.all.map(\.gradients.batchNormalization)
        {
            for order in BlockOrder.all(for: kernel.name) {
                let gradient = batch(testCase, gradients, border: 1)
                let task = BatchNormalizationGradientTask(
                    imageCount: testCase.imageCount, gradient: gradient.activation, input: input.activation,
                    mean: means.start, variance: variances.start, epsilon: 1e-5, weight: weights.start,
                    sum: sums.start, productSum: productSums.start, inputGradient: gradient.activation)
                try compute(kernel, task, order: order)
                #expect(gradient.surroundingsAreUntouched)
                let actual = gradient.pixels
                for index in [0, count / 3, count / 2, count - 1] {
                    let channel = index % testCase.channels
                    let derivative = statistics[channel].derivative(
                        index / testCase.channels, weight: Double(weights.elements[channel]))
                    #expect(abs(Double(actual[index]) - derivative) < 2e-5, "\(kernel.name), \(testCase), \(index)")
                }
            }
        }
    }

    /// One channel of a batch.
    private struct Statistics {
        let values: [Double]
        let gradients: [Double]
        let mean: Double
        let variance: Double
        let sum: Double
        let productSum: Double

        init(_ inputs: [Float], _ all: [Float], channel: Int, of channels: Int) {
            let of = Array(stride(from: channel, to: inputs.count, by: channels))
            values = of.map { Double(inputs[$0]) }
            gradients = of.map { Double(all[$0]) }
            let mean = values.reduce(0, +) / Double(values.count)
            self.mean = mean
            variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            sum = gradients.reduce(0, +)
            productSum = zip(gradients, values).reduce(0) { $0 + $1.0 * ($1.1 - mean) }
        }

        /// Of the sum of gradient times norm, with respect to a value, as a central difference.
        func derivative(_ index: Int, weight: Double) -> Double {
            let step = 1e-5
            return (loss(index, step, weight) - loss(index, -step, weight)) / (2 * step)
        }

        private func loss(_ index: Int, _ step: Double, _ weight: Double) -> Double {
            var values = values
            values[index] += step
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            return zip(gradients, values).reduce(0) {
                $0 + $1.0 * weight * ($1.1 - mean) / (variance + 1e-5).squareRoot()
            }
        }
    }
}
