// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct BlurGradientTests {
    static let kernels = [ReferenceBlurGradient.kernel, PortableBlurGradient.kernel]

    /// For one side of an image: the weight of each pixel in each window, as (window, pixel). It is that of a filter over
    /// a list of pixels that begins and ends with their reflections.
    private func weights(_ count: Int, size: Int, stride: Int, padding: Int) -> [[Double]] {
        let inside = Array(0..<count)
        let padded =
            inside.dropFirst().prefix(padding).reversed() + inside + inside.dropLast().suffix(padding).reversed()
        let row = BlurTests.coefficients[size - 1]
        return (0...(padded.count - size) / stride).map { window in
            var weights = [Double](repeating: 0, count: count)
            for element in 0..<size {
                weights[padded[window * stride + element]] += row[element] / row.reduce(0, +)
            }
            return weights
        }
    }

    private func task(
        _ testCase: BlurTests.Case, _ input: Activation, _ output: Activation
    ) -> (Activation, Activation, Bool) -> BlurGradientTask {
        let blur = BlurTask(
            size: testCase.size, stride: testCase.stride, padding: testCase.padding, input: input, output: output)
        return { BlurGradientTask(blur: blur, outputGradient: $0, inputGradient: $1, accumulates: $2) }
    }

    private func check(_ testCase: BlurTests.Case, hasSpecialValues: Bool, minimumBlocks: Int = 1) throws {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        let (size, stride, padding) = (testCase.size, testCase.stride, testCase.padding)
        let vertical = weights(height, size: size, stride: stride, padding: padding)
        let horizontal = weights(width, size: size, stride: stride, padding: padding)
        let gradient = TestImage(
            height: vertical.count, width: horizontal.count, channels: channels, seed: UInt64(channels),
            hasSpecialValues: hasSpecialValues)
        let expected = expectedValues((height, width, channels)) { row, column, channel in
            var result = Expected(value: 0, magnitude: 0)
            for y in vertical.indices where vertical[y][row] != 0 {
                for x in horizontal.indices where horizontal[x][column] != 0 {
                    let term = vertical[y][row] * horizontal[x][column] * gradient.value(y, x, channel)
                    result.value += term
                    result.magnitude += abs(term)
                }
            }
            return result
        }
        let input = TestActivation(height: height, width: width, channels: channels, border: 1)
        let output = TestActivation(height: gradient.height, width: gradient.width, channels: channels, border: 0)
        // Products and sums of two passes, of a pixel and its reflections.
        try expectGradient(
            Self.kernels, gradient, (height, width, channels), expected, terms: 8 * size,
            minimumBlocks: minimumBlocks, "\(testCase)", task: task(testCase, input.activation, output.activation))
    }

    @Test(arguments: BlurTests.sweep.filter { [1, 8, 19].contains($0.channels) })
    func agreesWithTheDefinition(_ testCase: BlurTests.Case) throws {
        try check(testCase, hasSpecialValues: testCase.height == 13)
    }

    /// The border of a window is reflected on both sides of so small an image.
    @Test(arguments: [(3, 3), (4, 5)])
    func reflectsAlmostAWholeImage(height: Int, width: Int) throws {
        for stride in 1...3 {
            try check(
                BlurTests.Case(size: 5, stride: stride, padding: 2, height: height, width: width, channels: 9),
                hasSpecialValues: false)
        }
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        try check(
            BlurTests.Case(size: 3, stride: 2, padding: 1, height: 61, width: 67, channels: 64),
            hasSpecialValues: false, minimumBlocks: 5)
    }

    /// Differences of the forward kernel's definition: that of `BlurTests`, in Double.
    @Test(arguments: [(3, 2, 1), (5, 1, 2), (4, 2, 2)])
    func agreesWithDifferences(size: Int, stride: Int, padding: Int) throws {
        let (height, width) = (6, 5)
        let image = TestImage(height: height, width: width, channels: 1, seed: 3)
        let coefficients = BlurTests.coefficients[size - 1]
        let total = coefficients.reduce(0, +)
        let (rows, columns) = ((height + 2 * padding - size) / stride + 1, (width + 2 * padding - size) / stride + 1)
        func reflected(_ index: Int, _ count: Int) -> Int {
            index < 0 ? -index : index >= count ? 2 * count - 2 - index : index
        }
        func forward(_ values: [Double]) -> [Double] {
            (0..<rows * columns).map { index in
                var sum = 0.0
                for y in 0..<size {
                    for x in 0..<size {
                        let row = reflected(index / columns * stride - padding + y, height)
                        let column = reflected(index % columns * stride - padding + x, width)
                        sum += coefficients[y] * coefficients[x] / (total * total) * values[row * width + column]
                    }
                }
                return sum
            }
        }
        let gradient = TestImage(height: rows, width: columns, channels: 1, seed: 4)
        let expected = differences(image.values, gradient.values, forward)
        let testCase = BlurTests.Case(
            size: size, stride: stride, padding: padding, height: height, width: width, channels: 1)
        for kernel in Self.kernels {
            let result = TestActivation(height: height, width: width, channels: 1, border: 0)
            let given = gradient.activation(border: 0)
            try compute(
                kernel, task(testCase, result.activation, given.activation)(given.activation, result.activation, false))
            expectClose(result.pixels, differences: expected, "\(kernel.name), \(testCase)")
        }
    }
}
