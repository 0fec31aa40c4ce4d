// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Testing

@testable import Kernels

@Suite struct ElementwiseTests {
    struct Case {
        let height: Int
        let width: Int
        let channels: Int
        let function: ElementwiseFunction
        let hasScale: Bool
        let hasResidual: Bool
    }

    static let functions: [ElementwiseFunction] = [.none, .relu, .silu, .sigmoid]

    static let sweep: [Case] = [(1, 1), (3, 5), (6, 2)].flatMap { height, width in
        [1, 3, 8, 17, 32, 48].flatMap { channels in
            functions.flatMap { function in
                [(false, false), (false, true), (true, false), (true, true)].map {
                    Case(
                        height: height, width: width, channels: channels, function: function, hasScale: $0,
                        hasResidual: $1)
                }
            }
        }
    }

    private static func compute(_ function: ElementwiseFunction, _ x: Double) -> Double {
        switch function {
        case .none: x
        case .relu: x.isNaN ? .nan : max(x, 0)
        case .silu: x / (1 + exp(-x))
        case .sigmoid: 1 / (1 + exp(-x))
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        try check(testCase, minimumBlocks: 1)
    }

    @Test(arguments: functions)
    func isCutIntoBlocksAtTheSizesOfPhotographs(_ function: ElementwiseFunction) throws {
        for channels in [64, 66] {
            try check(
                Case(height: 53, width: 59, channels: channels, function: function, hasScale: true, hasResidual: true),
                minimumBlocks: 5)
        }
    }

    private func check(_ testCase: Case, minimumBlocks: Int) throws {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        let image = TestImage(
            height: height, width: width, channels: channels, seed: UInt64(channels), hasSpecialValues: true)
        let added = TestImage(height: height, width: width, channels: channels, seed: 100, hasSpecialValues: height > 5)
        var generator = SeededGenerator(seed: 7)
        let scale = TestMemory(generator.floats(channels))
        let input = image.activation(border: 1)
        let residual = added.activation(border: 0)
        let size = (height: height, width: width, channels: channels)

        let expected = expectedValues(size) { row, column, channel in
            var x = image.value(row, column, channel)
            if testCase.hasScale { x *= Double(scale.start[channel]) }
            var magnitude = abs(x)
            if testCase.hasResidual {
                x += added.value(row, column, channel)
                magnitude += abs(added.value(row, column, channel))
            }
            let value = Self.compute(testCase.function, x)
            // The functions' slopes are at most 1.1; what they add is relative to their own value.
            return Expected(value: value, magnitude: magnitude * 1.1 + abs(value))
        }
        func task(_ input: Activation, _ output: Activation, residual: Activation? = nil) -> ElementwiseTask {
            ElementwiseTask(
                input: input, scale: testCase.hasScale ? UnsafePointer(scale.start) : nil, residual: residual,
                function: testCase.function, output: output)
        }
        let added0 = testCase.hasResidual ? residual.activation : nil
        // Product, sum, exponential, the sum with 1 and the quotient are rounded.
        try expectAgreement(
            KernelTable.all.map(\.elementwise), size, expected, terms: 5, minimumBlocks: minimumBlocks, "\(testCase)"
        ) { task(input.activation, $0, residual: added0) }

        for kernel in KernelTable.all.map(\.elementwise) {
            let inPlace = image.activation(border: 1)
            try KernelsTests.compute(kernel, task(inPlace.activation, inPlace.activation, residual: added0))
            expectClose(inPlace.pixels, expected, terms: 5, "\(kernel.name), \(testCase), in place")
            guard testCase.hasResidual else { continue }
            let overResidual = added.activation(border: 2)
            try KernelsTests.compute(
                kernel, task(input.activation, overResidual.activation, residual: overResidual.activation))
            expectClose(overResidual.pixels, expected, terms: 5, "\(kernel.name), \(testCase), over the residual")
        }
    }

    /// By themselves, so that nothing else is rounded.
    @Test(arguments: [ElementwiseFunction.silu, .sigmoid])
    func roundsExponentialsLittle(_ function: ElementwiseFunction) throws {
        // As many as fill vectors of any width.
        let values = (-8704..<8704).map { Float($0) / 100 }
        for kernel in KernelTable.all.map(\.elementwise) {
            let image = TestActivation(pixels: values, height: 1, width: 1, channels: values.count, border: 0)
            try KernelsTests.compute(
                kernel,
                ElementwiseTask(
                    input: image.activation, scale: nil, residual: nil, function: function, output: image.activation))
            for (x, actual) in zip(values, image.pixels) {
                let expected = Self.compute(function, Double(x))
                #expect(abs(Double(actual) - expected) <= 2e-7 * abs(expected), "\(kernel.name), \(function) of \(x)")
            }
        }
    }

    @Test func keepsWhatPyTorchKeeps() throws {
        let values: [Float] = [.nan, .infinity, -.infinity, -1000, 1000, -0.0]
        let expected: [(ElementwiseFunction, [Float])] = [
            (.none, values), (.relu, [.nan, .infinity, 0, 0, 1000, 0]),
            (.silu, [.nan, .infinity, .nan, 0, 1000, 0]), (.sigmoid, [.nan, 1, 0, 0, 1, 0.5]),
        ]
        for kernel in KernelTable.all.map(\.elementwise) {
            // Six or 18 channels fill no vectors, 48 do.
            for repetitions in [1, 3, 8] {
                for (function, expected) in expected {
                    let all = Array([[Float]](repeating: values, count: repetitions).joined())
                    let image = TestActivation(pixels: all, height: 1, width: 1, channels: all.count, border: 0)
                    try KernelsTests.compute(
                        kernel,
                        ElementwiseTask(
                            input: image.activation, scale: nil, residual: nil, function: function,
                            output: image.activation))
                    for (index, actual) in image.pixels.enumerated() {
                        let wanted = expected[index % values.count]
                        #expect(
                            actual == wanted || actual.isNaN && wanted.isNaN,
                            "\(kernel.name), \(function) of \(all[index]) is \(actual)")
                    }
                }
            }
        }
    }
}
