// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct GroupNormalizationTests {
    struct Case {
        let height: Int
        let width: Int
        let channels: Int
        let groups: Int
        let mean: Float
        let hasResidual: Bool
        let relu: Bool
    }

    static let sweep: [Case] = [(1, 1), (3, 5), (7, 4)].flatMap { height, width in
        [(1, 1), (6, 3), (32, 1), (64, 32), (48, 3), (17, 17), (40, 8)].flatMap { channels, groups in
            [(0, false, false), (0, true, true), (100, false, true)].map {
                Case(
                    height: height, width: width, channels: channels, groups: groups, mean: $0, hasResidual: $1,
                    relu: $2)
            }
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws { try check(testCase, minimumBlocks: 1) }

    @Test(arguments: [1, 32])
    func isCutIntoBlocksAtTheSizesOfPhotographs(groups: Int) throws {
        let testCase = Case(
            height: 41, width: 43, channels: 96, groups: groups, mean: 0.5, hasResidual: true, relu: true)
        // The reference has a block for each group.
        try check(testCase, minimumBlocks: min(groups, 5))
    }

    private func check(_ testCase: Case, minimumBlocks: Int) throws {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        var image = TestImage(height: height, width: width, channels: channels, seed: UInt64(channels))
        for index in image.pixels.indices { image.pixels[index] += testCase.mean }
        let added = TestImage(height: height, width: width, channels: channels, seed: 100)
        var generator = SeededGenerator(seed: 9)
        let weight = TestMemory(generator.floats(channels))
        let bias = TestMemory(generator.floats(channels))
        let epsilon = 1e-5
        let groupSize = channels / testCase.groups

        let statistics = (0..<testCase.groups).map { group in
            let values = image.pixels.indices.filter { $0 % channels / groupSize == group }.map {
                Double(image.pixels[$0])
            }
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.map { ($0 - mean) * ($0 - mean) }
            return (mean: mean, variance: squares.reduce(0, +) / Double(values.count))
        }
        let size = (height: height, width: width, channels: channels)
        let expected = expectedValues(size) { row, column, channel in
            let (mean, variance) = statistics[channel / groupSize]
            let pixel = image.value(row, column, channel)
            let factor = Double(weight.start[channel]) / (variance + epsilon).squareRoot()
            var value = (pixel - mean) * factor + Double(bias.start[channel])
            var magnitude = (abs(pixel) + abs(mean)) * abs(factor) + abs(Double(bias.start[channel]))
            if testCase.hasResidual {
                value += added.value(row, column, channel)
                magnitude += abs(added.value(row, column, channel))
            }
            return Expected(value: testCase.relu ? max(value, 0) : value, magnitude: magnitude)
        }
        let input = image.activation(border: 1)
        let residual = testCase.hasResidual ? added.activation(border: 0) : nil
        func task(_ input: Activation, _ output: Activation, residual: Activation?) -> GroupNormalizationTask {
            GroupNormalizationTask(
                input: input, groups: testCase.groups, epsilon: epsilon, weight: weight.start, bias: bias.start,
                residual: residual, relu: testCase.relu, output: output)
        }
        // Mean, difference, factor, product, bias and residual are rounded.
        try expectAgreement(
            KernelTable.all.map(\.groupNormalization), size, expected, terms: 7, minimumBlocks: minimumBlocks,
            "\(testCase)"
        ) { task(input.activation, $0, residual: residual?.activation) }

        for kernel in KernelTable.all.map(\.groupNormalization) {
            let inPlace = image.activation(border: 1)
            try compute(
                kernel, task(inPlace.activation, inPlace.activation, residual: residual?.activation), order: .threads(2)
            )
            expectClose(inPlace.pixels, expected, terms: 7, "\(kernel.name), \(testCase), in place")
            guard let residual else { continue }
            try compute(kernel, task(input.activation, residual.activation, residual: residual.activation))
            expectClose(residual.pixels, expected, terms: 7, "\(kernel.name), \(testCase), over the residual")
            residual.set(added.pixels)
        }
    }

    /// As PyTorch's: one is enough for its group, and the other groups do not see it.
    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func passesANotFiniteValueToItsGroup(_ value: Float) throws {
        var image = TestImage(height: 3, width: 3, channels: 24, seed: 1)
        image.pixels[24 * 4 + 10] = value
        let parameters = TestMemory([Float](repeating: 1, count: 24))
        let input = image.activation(border: 0)
        for kernel in KernelTable.all.map(\.groupNormalization) {
            let output = TestActivation(height: 3, width: 3, channels: 24, border: 0)
            let task = GroupNormalizationTask(
                input: input.activation, groups: 3, epsilon: 1e-5, weight: parameters.start, bias: parameters.start,
                residual: nil, relu: true, output: output.activation)
            try compute(kernel, task)
            for (index, actual) in output.pixels.enumerated() {
                #expect(actual.isNaN == (8..<16).contains(index % 24), "\(kernel.name), \(value), element \(index)")
            }
        }
    }
}
