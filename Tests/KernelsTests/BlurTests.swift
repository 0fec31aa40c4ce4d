// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct BlurTests {
    struct Case {
        let size: Int
        let stride: Int
        let padding: Int
        let height: Int
        let width: Int
        let channels: Int
    }

    /// Paddings as timm's `get_padding` gives them, but for the last two.
    static let sweep: [Case] = [(3, 2, 1), (3, 1, 1), (5, 2, 2), (4, 2, 2), (2, 2, 1), (1, 1, 0), (3, 2, 0)].flatMap {
        size, stride, padding in
        [(1, 1), (2, 2), (3, 3), (5, 4), (6, 9), (13, 8)].flatMap { height, width in
            [1, 7, 8, 19, 48].compactMap { channels in
                let shortest = min(height, width)
                guard padding < shortest && shortest + 2 * padding >= size else { return nil }
                return Case(
                    size: size, stride: stride, padding: padding, height: height, width: width, channels: channels)
            }
        }
    }

    /// Rows of Pascal's triangle.
    static let coefficients: [[Double]] = [[1], [1, 1], [1, 2, 1], [1, 3, 3, 1], [1, 4, 6, 4, 1]]

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        try check(testCase, hasSpecialValues: testCase.height == 13, minimumBlocks: 1)
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        try check(
            Case(size: 3, stride: 2, padding: 1, height: 61, width: 67, channels: 64), hasSpecialValues: false,
            minimumBlocks: 5)
    }

    private func check(_ testCase: Case, hasSpecialValues: Bool, minimumBlocks: Int) throws {
        let image = TestImage(
            height: testCase.height, width: testCase.width, channels: testCase.channels,
            seed: UInt64(testCase.channels), hasSpecialValues: hasSpecialValues)
        // The image with its reflected border: each index of the padded image is one of the image.
        func reflected(_ count: Int) -> [Int] {
            let inside = Array(0..<count)
            let padding = testCase.padding
            return inside.dropFirst().prefix(padding).reversed() + inside
                + inside.dropLast().suffix(padding).reversed()
        }
        let (rows, columns) = (reflected(image.height), reflected(image.width))
        let weights = Self.coefficients[testCase.size - 1]
        let total = weights.reduce(0, +) * weights.reduce(0, +)
        let size = (
            height: (rows.count - testCase.size) / testCase.stride + 1,
            width: (columns.count - testCase.size) / testCase.stride + 1, channels: image.channels
        )
        let expected = expectedValues(size) { row, column, channel in
            var result = Expected(value: 0, magnitude: 0)
            for y in 0..<testCase.size {
                for x in 0..<testCase.size {
                    let pixel = image.value(
                        rows[row * testCase.stride + y], columns[column * testCase.stride + x], channel)
                    result.value += weights[y] * weights[x] / total * pixel
                    result.magnitude += weights[y] * weights[x] / total * abs(pixel)
                }
            }
            return result
        }
        let input = image.activation(border: 1)
        // Products and sums of two passes.
        try expectAgreement(
            KernelTable.all.map(\.blur), size, expected, terms: 4 * testCase.size, minimumBlocks: minimumBlocks,
            "\(testCase)"
        ) {
            BlurTask(
                size: testCase.size, stride: testCase.stride, padding: testCase.padding, input: input.activation,
                output: $0)
        }
    }
}
