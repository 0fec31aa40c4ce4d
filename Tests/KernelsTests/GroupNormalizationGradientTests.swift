// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct GroupNormalizationGradientTests {
    struct Case {
        let height: Int
        let width: Int
        let channels: Int
        let groups: Int
        let mean: Float

        var size: ImageSize { (height, width, channels) }
    }

    static let kernels = [ReferenceGroupNormalizationGradient.kernel, PortableGroupNormalizationGradient.kernel]
    static let epsilon = 1e-5

    static let sweep: [Case] = [(1, 1), (3, 5), (7, 4)].flatMap { height, width in
        [(1, 1), (6, 3), (32, 1), (64, 32), (48, 3), (17, 17), (40, 8), (21, 3)].flatMap { channels, groups in
            [0, 100].map { Case(height: height, width: width, channels: channels, groups: groups, mean: $0) }
        }
    }

    /// Gradients in the order in which a task has them.
    private struct Gradients {
        var input: [Expected] = []
        var weight: [Expected]
        var bias: [Expected]
    }

    /// The formulas of the derivative, with all sums over pairs of a value and its gradient.
    private func definition(
        _ image: TestImage, groups: Int, _ weight: [Float], _ gradient: TestImage
    ) -> Gradients {
        let groupSize = image.channels / groups
        let zeros = [Expected](repeating: Expected(value: 0, magnitude: 0), count: image.channels)
        var result = Gradients(input: zeros, weight: zeros, bias: zeros)
        result.input = [Expected](repeating: zeros[0], count: image.pixels.count)
        for group in 0..<groups {
            let indices = image.pixels.indices.filter { $0 % image.channels / groupSize == group }
            func average(_ term: (Int) -> Double) -> Double {
                indices.reduce(0) { $0 + term($1) } / Double(indices.count)
            }
            func scaled(_ index: Int) -> Double {
                Double(gradient.pixels[index]) * Double(weight[index % image.channels])
            }
            let mean = average { Double(image.pixels[$0]) }
            let variance = average { (Double(image.pixels[$0]) - mean) * (Double(image.pixels[$0]) - mean) }
            let factor = 1 / (variance + Self.epsilon).squareRoot()
            func normalized(_ index: Int) -> Double { (Double(image.pixels[index]) - mean) * factor }
            let meanOfProduct = average { scaled($0) * normalized($0) }
            let (meanOfGradient, magnitudeOfGradient) = (average(scaled), average { abs(scaled($0)) })
            for index in indices {
                result.input[index].value =
                    factor * (scaled(index) - meanOfGradient - normalized(index) * meanOfProduct)
                // Float rounds the mean that the input is compared with.
                let rounded = (abs(Double(image.pixels[index])) + abs(mean)) * factor
                result.input[index].magnitude =
                    factor * (abs(scaled(index)) + magnitudeOfGradient + rounded * abs(meanOfProduct))
                let channel = index % image.channels
                let value = Double(gradient.pixels[index])
                result.weight[channel].value += value * normalized(index)
                result.weight[channel].magnitude += abs(value * normalized(index))
                result.bias[channel].value += value
                result.bias[channel].magnitude += abs(value)
            }
        }
        return result
    }

    /// Expects sums in Double that were added to others.
    private func expectSums(_ actual: TestMemory<Double>, _ expected: [Expected], _ old: [Double], _ what: String) {
        #expect(actual.start[expected.count].isNaN, "\(what): wrote beyond the channels")
        for (channel, expected) in expected.enumerated() {
            let difference = abs(actual.start[channel] - (old[channel] + expected.value))
            // A mean of 100 takes seven bits of the deviations.
            #expect(difference <= 1e-11 * (expected.magnitude + 1), "\(what), channel \(channel)")
        }
    }

    private func check(_ testCase: Case, minimumBlocks: Int = 1) throws {
        let channels = testCase.channels
        var image = TestImage(
            height: testCase.height, width: testCase.width, channels: channels, seed: UInt64(channels))
        for index in image.pixels.indices { image.pixels[index] += testCase.mean }
        let gradient = TestImage(height: testCase.height, width: testCase.width, channels: channels, seed: 100)
        var generator = SeededGenerator(seed: 9)
        let weight = TestMemory(generator.floats(channels))
        let old = generator.floats(channels).map(Double.init)
        let expected = definition(image, groups: testCase.groups, weight.elements, gradient)
        let input = image.activationInCanaries
        var (weightGradient, biasGradient) = (TestMemory<Double>([]), TestMemory<Double>([]))
        // Three factors and the mean are rounded, the difference, three products and three sums.
        try expectGradient(
            Self.kernels, gradient, testCase.size, expected.input, terms: 7, minimumBlocks: minimumBlocks,
            inPlace: true, "\(testCase)",
            check: { what in
                expectSums(weightGradient, expected.weight, old, "\(what), weight")
                expectSums(biasGradient, expected.bias, old, "\(what), bias")
            }
        ) {
            weightGradient = TestMemory(old + [.nan])
            biasGradient = TestMemory(old + [.nan])
            return GroupNormalizationGradientTask(
                input: input.activation, groups: testCase.groups, epsilon: Self.epsilon, weight: weight.start,
                outputGradient: $0, inputGradient: $1, accumulates: $2, weightGradient: weightGradient.start,
                biasGradient: biasGradient.start)
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws { try check(testCase) }

    @Test(arguments: [1, 32])
    func isCutIntoBlocksAtTheSizesOfPhotographs(groups: Int) throws {
        try check(Case(height: 41, width: 43, channels: 96, groups: groups, mean: 0.5), minimumBlocks: 5)
    }

    /// Differences of GroupNorm's forward definition, with respect to the input, the weight and the bias.
    @Test(arguments: [(6, 1), (6, 3), (9, 3)])
    func agreesWithDifferences(channels: Int, groups: Int) throws {
        let image = TestImage(height: 3, width: 2, channels: channels, seed: 5)
        let gradient = TestImage(height: 3, width: 2, channels: channels, seed: 6)
        var generator = SeededGenerator(seed: 7)
        let weight = TestMemory(generator.floats(channels))
        let bias = generator.floats(channels).map(Double.init)
        let weights = weight.elements.map(Double.init)
        func forward(_ input: [Double], _ weight: [Double], _ bias: [Double]) -> [Double] {
            var output = input
            for group in 0..<groups {
                let indices = input.indices.filter { $0 % channels * groups / channels == group }
                let mean = indices.map { input[$0] }.reduce(0, +) / Double(indices.count)
                let variance =
                    indices.map { (input[$0] - mean) * (input[$0] - mean) }.reduce(0, +) / Double(indices.count)
                for index in indices {
                    output[index] =
                        (input[index] - mean) / (variance + Self.epsilon).squareRoot() * weight[index % channels]
                        + bias[index % channels]
                }
            }
            return output
        }
        for kernel in Self.kernels {
            let (input, given) = (image.activation(border: 0), gradient.activation(border: 0))
            let result = TestActivation(height: 3, width: 2, channels: channels, border: 0)
            let weightGradient = TestMemory([Double](repeating: 0, count: channels))
            let biasGradient = TestMemory([Double](repeating: 0, count: channels))
            try compute(
                kernel,
                GroupNormalizationGradientTask(
                    input: input.activation, groups: groups, epsilon: Self.epsilon, weight: weight.start,
                    outputGradient: given.activation, inputGradient: result.activation, accumulates: false,
                    weightGradient: weightGradient.start, biasGradient: biasGradient.start))
            expectClose(
                result.pixels,
                differences: differences(image.values, gradient.values) { forward($0, weights, bias) },
                "\(kernel.name), input")
            expectClose(
                weightGradient.elements.map(Float.init),
                differences: differences(weights, gradient.values) { forward(image.values, $0, bias) },
                "\(kernel.name), weight")
            expectClose(
                biasGradient.elements.map(Float.init),
                differences: differences(bias, gradient.values) { forward(image.values, weights, $0) },
                "\(kernel.name), bias")
        }
    }

    /// As PyTorch's: one gradient is enough for its group, and the other groups do not see it.
    @Test(arguments: [Float.nan, .infinity])
    func passesANotFiniteGradientToItsGroup(_ value: Float) throws {
        let image = TestImage(height: 3, width: 3, channels: 24, seed: 1)
        var gradient = TestImage(height: 3, width: 3, channels: 24, seed: 2)
        gradient.pixels[24 * 4 + 10] = value
        let parameters = TestMemory([Float](repeating: 1, count: 24))
        let (input, given) = (image.activation(border: 0), gradient.activation(border: 0))
        for kernel in Self.kernels {
            let output = TestActivation(height: 3, width: 3, channels: 24, border: 0)
            let weightGradient = TestMemory([Double](repeating: 0, count: 24))
            let biasGradient = TestMemory([Double](repeating: 0, count: 24))
            let task = GroupNormalizationGradientTask(
                input: input.activation, groups: 3, epsilon: Self.epsilon, weight: parameters.start,
                outputGradient: given.activation, inputGradient: output.activation, accumulates: false,
                weightGradient: weightGradient.start, biasGradient: biasGradient.start)
            try withExtendedLifetime((input, given, parameters)) { try compute(kernel, task) }
            for (index, actual) in output.pixels.enumerated() {
                #expect(actual.isFinite != (8..<16).contains(index % 24), "\(kernel.name), element \(index)")
            }
            for channel in 0..<24 {
                #expect(weightGradient.elements[channel].isFinite == (channel != 10), "\(kernel.name), \(channel)")
                #expect(biasGradient.elements[channel].isFinite == (channel != 10), "\(kernel.name), \(channel)")
            }
        }
    }
}
