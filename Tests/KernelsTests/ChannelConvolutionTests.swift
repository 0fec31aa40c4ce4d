// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct ChannelConvolutionTests {
    /// Fewer channels than the filter is wide, and all around multiples of eight and the edges of the filter.
    @Test(arguments: [1, 3, 5, 7, 9], [1, 2, 3, 7, 8, 9, 12, 16, 17, 31, 100, 2048])
    func agreesWithTheDefinition(size: Int, channels: Int) throws {
        let image = TestImage(
            height: 1, width: 1, channels: channels, seed: UInt64(channels), hasSpecialValues: channels == 100)
        var generator = SeededGenerator(seed: UInt64(size))
        let weights = TestMemory(generator.floats(size))
        let input = image.activation(border: 1)
        let expected = (0..<channels).map { channel in
            var result = Expected(value: 0, magnitude: 0)
            for element in 0..<size {
                let from = channel + element - (size - 1) / 2
                guard 0..<channels ~= from else { continue }
                let product = Double(weights.start[element]) * image.value(0, 0, from)
                result.value += product
                result.magnitude += abs(product)
            }
            return result
        }
        try expectAgreement(
            KernelTable.all.map(\.channelConvolution), (1, 1, channels), expected, terms: 2 * size,
            "\(size) of \(channels) channels"
        ) {
            ChannelConvolutionTask(size: size, weights: weights.start, input: input.activation, output: $0)
        }
    }
}
