// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct ChannelConvolutionGradientTests {
    /// Fewer channels than the filter is wide, and all around multiples of eight and the edges of the filter.
    @Test(arguments: [1, 3, 5, 7, 9], [1, 2, 3, 7, 8, 9, 12, 16, 17, 31, 100, 2048])
    func agreesWithTheDefinition(size: Int, channels: Int) throws {
        let image = TestImage(height: 1, width: 1, channels: channels, seed: UInt64(channels))
        let gradient = TestImage(
            height: 1, width: 1, channels: channels, seed: 12, hasSpecialValues: channels == 100)
        var generator = SeededGenerator(seed: UInt64(size))
        let weights = TestMemory(generator.floats(size))
        let oldWeights = generator.floats(size)
        let zero = Expected(value: 0, magnitude: 0)
        var expected = [Expected](repeating: zero, count: channels)
        var expectedWeights = oldWeights.map { Expected(value: Double($0), magnitude: Double(abs($0))) }
        // The pairs of an output and an input that a weight connects.
        for output in 0..<channels {
            for element in 0..<size {
                let input = output + element - (size - 1) / 2
                guard 0..<channels ~= input else { continue }
                let term = Double(weights.start[element]) * gradient.value(0, 0, output)
                expected[input].value += term
                expected[input].magnitude += abs(term)
                let product = image.value(0, 0, input) * gradient.value(0, 0, output)
                expectedWeights[element].value += product
                expectedWeights[element].magnitude += abs(product)
            }
        }
        let input = image.activationInCanaries
        let output = TestActivation(height: 1, width: 1, channels: channels, border: 0)
        for wantsWeights in [true, false] {
            var weightGradient = TestMemory<Float>([])
            try expectGradient(
                [ReferenceChannelConvolutionGradient.kernel, PortableChannelConvolutionGradient.kernel], gradient,
                image.size, expected, terms: 2 * size, "\(size) of \(channels) channels",
                check: { what in
                    let results = weightGradient.elements
                    #expect(isCanary(results[size]), "\(what)")
                    if wantsWeights {
                        expectClose(Array(results.dropLast()), expectedWeights, terms: 3, "\(what), weights")
                    } else {
                        expectSameBits(Array(results.dropLast()), oldWeights, "\(what), weights")
                    }
                }
            ) {
                weightGradient = TestMemory(oldWeights + [canary])
                return ChannelConvolutionGradientTask(
                    convolution: ChannelConvolutionTask(
                        size: size, weights: weights.start, input: input.activation, output: output.activation),
                    outputGradient: $0, inputGradient: $1, accumulates: $2,
                    weightGradient: wantsWeights ? weightGradient.start : nil)
            }
        }
    }
}
