// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct ChannelScaleGradientTests {
    private func check(_ size: ImageSize, hasSpecialValues: Bool = false, minimumBlocks: Int = 1) throws {
        let (height, width, channels) = size
        let image = TestImage(height: height, width: width, channels: channels, seed: UInt64(channels))
        let gradient = TestImage(
            height: height, width: width, channels: channels, seed: 8, hasSpecialValues: hasSpecialValues)
        var generator = SeededGenerator(seed: 4)
        let scale = TestMemory(generator.floats(channels))
        let expected = expectedValues(size) { row, column, channel in
            let value = gradient.value(row, column, channel) * Double(scale.start[channel])
            return Expected(value: value, magnitude: abs(value))
        }
        let expectedScale = (0..<channels).map { channel in
            var result = Expected(value: 0, magnitude: 0)
            for row in 0..<height {
                for column in 0..<width {
                    let term = gradient.value(row, column, channel) * image.value(row, column, channel)
                    result.value += term
                    result.magnitude += abs(term)
                }
            }
            return result
        }
        let input = image.activationInCanaries
        // The results are rounded, and hardly the sums in Double.
        var scaleGradient = TestMemory<Float>([])
        try expectGradient(
            [ReferenceChannelScaleGradient.kernel, PortableChannelScaleGradient.kernel], gradient, size, expected,
            terms: 1, minimumBlocks: minimumBlocks, inPlace: true, "\(size)",
            check: { what in
                expectClose(Array(scaleGradient.elements.dropLast()), expectedScale, terms: 2, "\(what), scale")
                #expect(isCanary(scaleGradient.start[channels]), "\(what)")
            }
        ) {
            scaleGradient = TestMemory([Float](repeating: canary, count: channels + 1))
            return ChannelScaleGradientTask(
                input: input.activation, scale: scale.start, outputGradient: $0, inputGradient: $1, accumulates: $2,
                scaleGradient: scaleGradient.start)
        }
    }

    @Test(arguments: [(1, 1), (3, 5), (6, 2)], [1, 3, 8, 9, 15, 16, 17, 24, 40, 67])
    func agreesWithTheDefinition(size: (Int, Int), channels: Int) throws {
        try check((size.0, size.1, channels), hasSpecialValues: size.0 == 6)
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws { try check((31, 33, 96), minimumBlocks: 5) }
}
