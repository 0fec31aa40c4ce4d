// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct SubsampleGradientTests {
    private func check(
        _ size: ImageSize, stride: Int, outputChannels: Int, hasSpecialValues: Bool = false, minimumBlocks: Int = 1
    ) throws {
        let gradient = TestImage(
            height: (size.height + stride - 1) / stride, width: (size.width + stride - 1) / stride,
            channels: outputChannels, seed: UInt64(outputChannels), hasSpecialValues: hasSpecialValues)
        let expected = expectedValues(size) { row, column, channel in
            guard row % stride == 0 && column % stride == 0 else { return Expected(value: 0, magnitude: 0) }
            let value = gradient.value(row / stride, column / stride, (outputChannels - size.channels) / 2 + channel)
            return Expected(value: value, magnitude: abs(value))
        }
        let input = TestActivation(height: size.height, width: size.width, channels: size.channels, border: 1)
        let output = TestActivation(
            height: gradient.height, width: gradient.width, channels: outputChannels, border: 0)
        try expectGradient(
            [ReferenceSubsampleGradient.kernel, PortableSubsampleGradient.kernel], gradient, size, expected, terms: 0,
            minimumBlocks: minimumBlocks, "\(size), stride \(stride), \(outputChannels) outputs"
        ) {
            SubsampleGradientTask(
                subsampling: SubsampleTask(stride: stride, input: input.activation, output: output.activation),
                outputGradient: $0, inputGradient: $1, accumulates: $2)
        }
    }

    @Test(arguments: [(1, 1), (2, 1), (5, 5), (6, 9)], [(1, 1), (3, 8), (8, 16), (5, 6), (17, 34)])
    func agreesWithTheDefinition(size: (Int, Int), channels: (Int, Int)) throws {
        for stride in 1...3 {
            try check(
                (size.0, size.1, channels.0), stride: stride, outputChannels: channels.1,
                hasSpecialValues: size.0 == 6)
        }
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        try check((61, 67, 64), stride: 2, outputChannels: 128, minimumBlocks: 5)
    }
}
