// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct GlobalPoolingGradientTests {
    private func check(_ size: ImageSize, hasSpecialValues: Bool = false, minimumBlocks: Int = 1) throws {
        let gradient = TestImage(
            height: 1, width: 1, channels: size.channels, seed: UInt64(size.channels),
            hasSpecialValues: hasSpecialValues)
        let expected = expectedValues(size) { _, _, channel in
            let share = gradient.value(0, 0, channel) / Double(size.height * size.width)
            return Expected(value: share, magnitude: abs(share))
        }
        try expectGradient(
            [ReferenceGlobalPoolingGradient.kernel, PortableGlobalPoolingGradient.kernel], gradient, size, expected,
            terms: 1, minimumBlocks: minimumBlocks, "\(size)"
        ) { GlobalPoolingGradientTask(outputGradient: $0, inputGradient: $1, accumulates: $2) }
    }

    @Test(arguments: [(1, 1), (2, 1), (7, 7), (5, 12)], [1, 3, 8, 15, 16, 17, 67])
    func agreesWithTheDefinition(size: (Int, Int), channels: Int) throws {
        try check((size.0, size.1, channels), hasSpecialValues: size.0 == 5)
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws { try check((61, 67, 64), minimumBlocks: 5) }
}
