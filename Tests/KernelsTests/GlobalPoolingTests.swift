// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct GlobalPoolingTests {
    private func definition(_ image: TestImage, _ channel: Int) -> Expected {
        var (sum, magnitude) = (0.0, 0.0)
        for row in 0..<image.height {
            for column in 0..<image.width {
                sum += image.value(row, column, channel)
                magnitude += abs(image.value(row, column, channel))
            }
        }
        let count = Double(image.height * image.width)
        return Expected(value: sum / count, magnitude: magnitude / count)
    }

    @Test(arguments: [(1, 1), (2, 1), (7, 7), (5, 12)], [1, 3, 8, 15, 16, 17, 32, 67, 100, 104])
    func agreesWithTheDefinition(size: (Int, Int), channels: Int) throws {
        let image = TestImage(
            height: size.0, width: size.1, channels: channels, seed: UInt64(channels), hasSpecialValues: size.0 == 5)
        let input = image.activation(border: 1)
        let expected = (0..<channels).map { definition(image, $0) }
        // The result is rounded, and hardly the sums in Double.
        try expectAgreement(
            KernelTable.all.map(\.globalPooling), (1, 1, channels), expected, terms: 2,
            minimumBlocks: (channels + 31) / 32, "\(size), \(channels) channels"
        ) { GlobalPoolingTask(input: input.activation, output: $0) }
    }

    /// Sums in Float would be off by far more: after some rows a term is too small to count whole.
    @Test func isExactForAMillionPixels() throws {
        var image = TestImage(height: 1000, width: 1000, channels: 17, seed: 3)
        for index in image.pixels.indices { image.pixels[index] = 0.1 + image.pixels[index] / 1000 }
        let input = image.activation(border: 0)
        let output = TestActivation(height: 1, width: 1, channels: 17, border: 0)
        try compute(
            KernelTable.portable.globalPooling,
            GlobalPoolingTask(input: input.activation, output: output.activation))
        for channel in 0..<17 {
            let expected = definition(image, channel).value
            #expect(abs(Double(output.pixels[channel]) - expected) <= 1e-6 * expected)
        }
    }
}
