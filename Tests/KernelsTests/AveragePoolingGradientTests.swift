// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct AveragePoolingGradientTests {
    struct Case {
        let size: Int
        let stride: Int
        let padding: Int
        let trailingPadding: Int
        let roundsUp: Bool
        let countsPadding: Bool
        let height: Int
        let width: Int
        let channels: Int

        /// PyTorch's `pooling_output_shape`.
        func outputSize(_ inputSize: Int) -> Int {
            let room = inputSize + padding + trailingPadding - size + (roundsUp ? stride - 1 : 0)
            guard room >= 0 else { return 0 }
            let count = room / stride + 1
            return roundsUp && (count - 1) * stride >= inputSize + padding ? count - 1 : count
        }
    }

    /// The last windows have paddings of TensorFlow's kind.
    static let windows = [
        (2, 2, 0, 0), (3, 2, 1, 1), (3, 1, 1, 1), (1, 1, 0, 0), (5, 3, 2, 2), (2, 3, 1, 1), (3, 2, 0, 1), (4, 2, 1, 2),
    ]

    static let sweep: [Case] = windows.flatMap { size, stride, padding, trailingPadding in
        [(1, 1), (2, 1), (5, 5), (6, 9), (13, 8)].flatMap { height, width in
            [1, 8, 23].flatMap { channels in
                [(false, false), (false, true), (true, false), (true, true)].compactMap {
                    let testCase = Case(
                        size: size, stride: stride, padding: padding, trailingPadding: trailingPadding, roundsUp: $0,
                        countsPadding: $1, height: height, width: width, channels: channels)
                    return min(testCase.outputSize(height), testCase.outputSize(width)) >= 1 ? testCase : nil
                }
            }
        }
    }

    /// The loop of PyTorch's `avg_pool2d`, with what it does to each pixel of a window.
    private func definition(_ testCase: Case, _ gradient: TestImage) -> [Expected] {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        var all = [Expected](repeating: Expected(value: 0, magnitude: 0), count: height * width * channels)
        for row in 0..<gradient.height {
            for column in 0..<gradient.width {
                let top = row * testCase.stride - testCase.padding
                let left = column * testCase.stride - testCase.padding
                let bottom = min(top + testCase.size, height + testCase.trailingPadding)
                let right = min(left + testCase.size, width + testCase.trailingPadding)
                let rows = max(top, 0)..<min(bottom, height)
                let columns = max(left, 0)..<min(right, width)
                let pixels = testCase.countsPadding ? (bottom - top) * (right - left) : rows.count * columns.count
                for (y, x) in rows.flatMap({ y in columns.map { (y, $0) } }) {
                    for channel in 0..<channels {
                        let share = gradient.value(row, column, channel) / Double(pixels)
                        all[(y * width + x) * channels + channel].value += share
                        all[(y * width + x) * channels + channel].magnitude += abs(share)
                    }
                }
            }
        }
        return all
    }

    private func check(_ testCase: Case, hasSpecialValues: Bool, minimumBlocks: Int) throws {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        let gradient = TestImage(
            height: testCase.outputSize(height), width: testCase.outputSize(width), channels: channels,
            seed: UInt64(channels), hasSpecialValues: hasSpecialValues)
        // Memory that is not read: its canaries would show.
        let input = TestActivation(height: height, width: width, channels: channels, border: 1)
        let output = TestActivation(height: gradient.height, width: gradient.width, channels: channels, border: 0)
        let windows = (testCase.size + testCase.stride - 1) / testCase.stride
        // Each share is rounded, and each sum.
        try expectGradient(
            [ReferenceAveragePoolingGradient.kernel, PortableAveragePoolingGradient.kernel], gradient,
            (height, width, channels), definition(testCase, gradient), terms: windows * windows + 1,
            minimumBlocks: minimumBlocks, "\(testCase)"
        ) {
            AveragePoolingGradientTask(
                pooling: AveragePoolingTask(
                    size: testCase.size, stride: testCase.stride, padding: testCase.padding,
                    trailingPadding: testCase.trailingPadding, countsPadding: testCase.countsPadding,
                    input: input.activation, output: output.activation), outputGradient: $0, inputGradient: $1,
                accumulates: $2)
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        try check(testCase, hasSpecialValues: testCase.height == 13, minimumBlocks: 1)
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        let testCase = Case(
            size: 2, stride: 2, padding: 0, trailingPadding: 0, roundsUp: true, countsPadding: false, height: 61,
            width: 67, channels: 64)
        try check(testCase, hasSpecialValues: false, minimumBlocks: 5)
    }
}
