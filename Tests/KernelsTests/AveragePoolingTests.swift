// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct AveragePoolingTests {
    struct Case {
        let size: Int
        let stride: Int
        let padding: Int
        let roundsUp: Bool
        let countsPadding: Bool
        let height: Int
        let width: Int
        let channels: Int

        /// PyTorch's `pooling_output_shape`.
        func outputSize(_ inputSize: Int) -> Int {
            let room = inputSize + 2 * padding - size + (roundsUp ? stride - 1 : 0)
            guard room >= 0 else { return 0 }
            let count = room / stride + 1
            return roundsUp && (count - 1) * stride >= inputSize + padding ? count - 1 : count
        }
    }

    static let sweep: [Case] = [(2, 2, 0), (3, 2, 1), (3, 1, 1), (1, 1, 0), (5, 3, 2), (3, 3, 0), (2, 3, 1)].flatMap {
        size, stride, padding in
        [(1, 1), (2, 1), (5, 5), (6, 9), (13, 8)].flatMap { height, width in
            [1, 7, 8, 23, 48].flatMap { channels in
                [(false, false), (false, true), (true, false), (true, true)].compactMap {
                    let testCase = Case(
                        size: size, stride: stride, padding: padding, roundsUp: $0, countsPadding: $1, height: height,
                        width: width, channels: channels)
                    return min(testCase.outputSize(height), testCase.outputSize(width)) >= 1 ? testCase : nil
                }
            }
        }
    }

    /// The loop of PyTorch's `avg_pool2d`.
    private func definition(_ testCase: Case, _ image: TestImage, _ row: Int, _ column: Int, _ channel: Int) -> Expected
    {
        let top = row * testCase.stride - testCase.padding
        let left = column * testCase.stride - testCase.padding
        let bottom = min(top + testCase.size, image.height + testCase.padding)
        let right = min(left + testCase.size, image.width + testCase.padding)
        var (sum, magnitude, pixels) = (0.0, 0.0, 0)
        for y in max(top, 0)..<min(bottom, image.height) {
            for x in max(left, 0)..<min(right, image.width) {
                sum += image.value(y, x, channel)
                magnitude += abs(image.value(y, x, channel))
                pixels += 1
            }
        }
        let divisor = Double(testCase.countsPadding ? (bottom - top) * (right - left) : pixels)
        return Expected(value: sum / divisor, magnitude: magnitude / divisor)
    }

    private func check(_ testCase: Case, hasSpecialValues: Bool, minimumBlocks: Int) throws {
        let image = TestImage(
            height: testCase.height, width: testCase.width, channels: testCase.channels,
            seed: UInt64(testCase.channels), hasSpecialValues: hasSpecialValues)
        let size = (
            height: testCase.outputSize(image.height), width: testCase.outputSize(image.width), channels: image.channels
        )
        let input = image.activation(border: 1)
        let expected = expectedValues(size) { definition(testCase, image, $0, $1, $2) }
        // All pixels of a window but one are added, and the quotient is rounded.
        let terms = testCase.size * testCase.size
        try expectAgreement(
            KernelTable.all.map(\.averagePooling), size, expected, terms: terms, minimumBlocks: minimumBlocks,
            "\(testCase)"
        ) {
            AveragePoolingTask(
                size: testCase.size, stride: testCase.stride, padding: testCase.padding,
                countsPadding: testCase.countsPadding, input: input.activation, output: $0)
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        try check(testCase, hasSpecialValues: testCase.height == 13, minimumBlocks: 1)
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        let testCase = Case(
            size: 2, stride: 2, padding: 0, roundsUp: true, countsPadding: false, height: 61, width: 67, channels: 64)
        try check(testCase, hasSpecialValues: false, minimumBlocks: 5)
    }

    /// The rows of an image in bands, with the input rows of each band alone.
    @Test(arguments: [(3, 2, 1), (2, 2, 0), (3, 1, 1), (5, 2, 2)], [true, false])
    func computesBands(window: (Int, Int, Int), countsPadding: Bool) throws {
        let (size, stride, padding) = window
        let testCase = Case(
            size: size, stride: stride, padding: padding, roundsUp: true, countsPadding: countsPadding, height: 12,
            width: 7, channels: 9)
        let image = TestImage(height: 12, width: 7, channels: 9, seed: 5)
        let input = image.activation(border: 0)
        let (height, width) = (testCase.outputSize(12), testCase.outputSize(7))
        let expected = expectedValues((height, width, 9)) { definition(testCase, image, $0, $1, $2) }
        for kernel in KernelTable.all.map(\.averagePooling) {
            let output = TestActivation(height: height, width: width, channels: 9, border: 1)
            for start in Swift.stride(from: 0, to: height, by: 2) {
                let band = start..<min(start + 2, height)
                let top = band.lowerBound * stride - padding
                let bottom = (band.upperBound - 1) * stride - padding + size
                let rows = max(top, 0)..<min(bottom, 12)
                try compute(
                    kernel,
                    AveragePoolingTask(
                        size: size, stride: stride, padding: padding, topPadding: max(-top, 0),
                        bottomPadding: min(max(bottom - 12, 0), padding), countsPadding: countsPadding,
                        input: input.activation.rows(rows), output: output.activation.rows(band)))
            }
            #expect(output.surroundingsAreUntouched)
            expectClose(output.pixels, expected, terms: size * size, "\(kernel.name), \(testCase)")
        }
    }
}

extension Activation {
    /// A view of some rows.
    func rows(_ rows: Range<Int>) -> Activation {
        Activation(
            origin: pixel(row: rows.lowerBound, column: 0), height: rows.count, width: width, channels: channels,
            border: border)
    }
}
