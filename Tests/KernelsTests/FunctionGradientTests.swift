// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Testing

@testable import Kernels

@Suite struct FunctionGradientTests {
    static let kernels = [ReferenceFunctionGradient.kernel, PortableFunctionGradient.kernel]

    /// The derivative, from the values that a task has; its magnitude is that of its terms.
    private func derivative(_ function: ElementwiseFunction, _ value: Double) -> (value: Double, magnitude: Double) {
        switch function {
        case .none: return (1, 1)
        case .relu: return value > 0 ? (1, 1) : (0, 0)
        case .sigmoid: return (value - value * value, abs(value) + value * value)
        case .silu:
            let sigmoid = 1 / (1 + exp(-value))
            return (sigmoid + value * exp(-value) * sigmoid * sigmoid, sigmoid * (1 + abs(value)))
        }
    }

    private func check(_ function: ElementwiseFunction, _ size: ImageSize, minimumBlocks: Int = 1) throws {
        var values = TestImage(
            height: size.height, width: size.width, channels: size.channels, seed: UInt64(size.channels))
        // At 0 and at -0 the ReLU gives no gradient.
        for index in stride(from: 1, to: values.pixels.count, by: 11) { values.pixels[index] = 0 }
        for index in stride(from: 2, to: values.pixels.count, by: 13) { values.pixels[index] = -0.0 }
        let gradient = TestImage(height: size.height, width: size.width, channels: size.channels, seed: 3)
        let expected = expectedValues(size) { row, column, channel in
            let derivative = derivative(function, values.value(row, column, channel))
            let gradient = gradient.value(row, column, channel)
            return Expected(value: gradient * derivative.value, magnitude: abs(gradient) * derivative.magnitude)
        }
        let given = values.activationInCanaries
        // Of SiLU the exponential, the sum with 1, the quotient, a difference, a product, another sum and two products are
        // rounded; the sigmoid is used twice.
        try expectGradient(
            Self.kernels, gradient, size, expected, terms: function == .silu ? 11 : 3, minimumBlocks: minimumBlocks,
            inPlace: true, "\(function), \(size)"
        ) {
            FunctionGradientTask(
                function: function, value: given.activation, outputGradient: $0, inputGradient: $1, accumulates: $2)
        }
    }

    @Test(arguments: ElementwiseTests.functions, [1, 3, 8, 17, 32])
    func agreesWithTheDefinition(_ function: ElementwiseFunction, channels: Int) throws {
        for (height, width) in [(1, 1), (3, 5), (6, 2)] { try check(function, (height, width, channels)) }
    }

    @Test(arguments: ElementwiseTests.functions)
    func isCutIntoBlocksAtTheSizesOfPhotographs(_ function: ElementwiseFunction) throws {
        try check(function, (53, 59, 66), minimumBlocks: 5)
    }

    private func run(
        _ kernel: Kernel<FunctionGradientTask>, _ function: ElementwiseFunction, _ values: [Float], _ gradient: [Float]
    ) throws -> [Float] {
        func activation(_ values: [Float]) -> TestActivation {
            TestActivation(pixels: values, height: 1, width: 1, channels: values.count, border: 0)
        }
        let (value, given, result) = (activation(values), activation(gradient), activation(gradient))
        let task = FunctionGradientTask(
            function: function, value: value.activation, outputGradient: given.activation,
            inputGradient: result.activation, accumulates: false)
        try withExtendedLifetime((value, given)) { try compute(kernel, task) }
        return result.pixels
    }

    /// Differences of the function itself. The result of ReLU and sigmoid is what the kernel has, for SiLU the input.
    @Test(arguments: ElementwiseTests.functions)
    func agreesWithDifferences(_ function: ElementwiseFunction) throws {
        var generator = SeededGenerator(seed: 21)
        let inputs = generator.floats(61, in: -12...12)
        let gradient = generator.floats(61)
        func forward(_ x: Double) -> Double {
            switch function {
            case .none: x
            case .relu: max(x, 0)
            case .sigmoid: 1 / (1 + exp(-x))
            case .silu: x / (1 + exp(-x))
            }
        }
        let expected = differences(inputs.map(Double.init), gradient.map(Double.init)) { $0.map(forward) }
        let values = function == .silu ? inputs : inputs.map { Float(forward(Double($0))) }
        for kernel in Self.kernels {
            expectClose(
                try run(kernel, function, values, gradient), differences: expected, "\(kernel.name), \(function)")
        }
    }

    @Test func keepsWhatPyTorchKeeps() throws {
        // Function, value, gradient, result.
        let cases: [(ElementwiseFunction, Float, Float, Float)] = [
            (.none, .nan, 2, 2), (.none, 1, .nan, .nan), (.none, 1, -.infinity, -.infinity),
            (.relu, .nan, 2, 2), (.relu, .infinity, 2, 2), (.relu, 0, 2, 0), (.relu, -0.0, 2, 0), (.relu, -1, 2, 0),
            (.relu, 0, .infinity, 0), (.relu, 0, .nan, 0), (.relu, 1, .nan, .nan), (.relu, 1, .infinity, .infinity),
            (.sigmoid, .nan, 2, .nan), (.sigmoid, 0, 2, 0), (.sigmoid, 1, 2, 0), (.sigmoid, 0.5, .nan, .nan),
            (.sigmoid, 0, .infinity, .nan),
            (.silu, .nan, 2, .nan), (.silu, 1000, 2, 2), (.silu, -1000, 2, 0), (.silu, 0, 2, 1),
            (.silu, .infinity, 2, .nan), (.silu, -.infinity, 2, .nan), (.silu, 0, .infinity, .infinity),
        ]
        for kernel in Self.kernels {
            // One value is less than a vector, ten are more.
            for ((function, value, gradient, expected), count) in cases.flatMap({ [($0, 1), ($0, 10)] }) {
                let results = try run(
                    kernel, function, [Float](repeating: value, count: count),
                    [Float](repeating: gradient, count: count))
                for actual in results {
                    #expect(
                        actual == expected || actual.isNaN && expected.isNaN,
                        "\(kernel.name), \(function) of \(value), gradient \(gradient): \(actual)")
                }
            }
        }
    }
}
