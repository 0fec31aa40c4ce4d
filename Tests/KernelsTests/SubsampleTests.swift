// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct SubsampleTests {
    struct Case {
        let height: Int
        let width: Int
        let stride: Int
        let channels: Int
        let outputChannels: Int
    }

    static let sweep: [Case] = [(1, 1), (2, 1), (5, 5), (6, 9)].flatMap { height, width in
        [1, 2, 3].flatMap { stride in
            [(1, 1), (3, 8), (8, 16), (16, 32), (5, 6)].map {
                Case(height: height, width: width, stride: stride, channels: $0, outputChannels: $1)
            }
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws { try check(testCase, minimumBlocks: 1) }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        try check(Case(height: 91, width: 67, stride: 2, channels: 64, outputChannels: 128), minimumBlocks: 5)
    }

    private func check(_ testCase: Case, minimumBlocks: Int) throws {
        let image = TestImage(
            height: testCase.height, width: testCase.width, channels: testCase.channels, seed: 2, hasSpecialValues: true
        )
        let size = (
            height: (testCase.height + testCase.stride - 1) / testCase.stride,
            width: (testCase.width + testCase.stride - 1) / testCase.stride, channels: testCase.outputChannels
        )
        let padding = (testCase.outputChannels - testCase.channels) / 2
        let expected = expectedValues(size) { row, column, channel in
            guard channel >= padding && channel < padding + testCase.channels else {
                return Expected(value: 0, magnitude: 0)
            }
            let value = image.value(row * testCase.stride, column * testCase.stride, channel - padding)
            return Expected(value: value, magnitude: 0)
        }
        let input = image.activation(border: 1)
        try expectAgreement(
            KernelTable.all.map(\.subsample), size, expected, terms: 0, minimumBlocks: minimumBlocks, "\(testCase)"
        ) { SubsampleTask(stride: testCase.stride, input: input.activation, output: $0) }
    }
}
