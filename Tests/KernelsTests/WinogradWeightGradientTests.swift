// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct WinogradWeightGradientTests {
    /// Images around the size of a tile; more channels and tiles than a block, a chunk and what is multiplied at a time have.
    static let sweep: [WeightGradientCase] = [
        (32, 32, 4, 4, 1), (32, 64, 3, 3, 2), (64, 32, 5, 7, 3), (96, 96, 8, 9, 2), (32, 160, 12, 11, 1),
        (64, 32, 55, 49, 1), (288, 32, 7, 7, 5), (512, 32, 33, 23, 2),
    ].enumerated().map { number, sizes in
        let (inputs, outputs, height, width, images) = sizes
        return WeightGradientCase(
            shape: WeightGradientTests.shape(inputs, outputs, 3, height, width), imageCount: images,
            border: 1 + number % 2, seed: UInt64(7500 + number))
    }

    /// Within the rounding errors of its own arithmetic, as in `WinogradTests`, and to the same bits in every order of blocks
    /// and with every instruction set.
    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: WeightGradientCase) throws {
        let shape = testCase.shape
        let fixture = WeightGradientFixture(testCase)
        // Of the large ones a few channels: of the first block's first and last tiles, and of the last block.
        let last = shape.outputChannels - 1
        let outputs = shape.weightCount > 10_000 ? [0, 29, last] : Array(0...last)
        let expected = zip(fixture.expected(outputs: outputs), fixture.winogradMagnitudes(outputs: outputs)).map {
            Expected(value: $0.value, magnitude: $0.magnitude + $1)
        }
        // Two lines of each transform, the products of all tiles, which are added in chunks, and two lines of the last one.
        let tiles =
            testCase.imageCount * divideRoundingUp(shape.outputHeight, 4) * divideRoundingUp(shape.outputWidth, 4)
        let terms = 2 * 5 + 2 * 4 + 2 * tiles + 2 * 6 + 2
        var first: [Float]?
        for table in KernelTable.all where !table.usesBLAS {
            let kernel = table.gradients.weights(shape, isDirect: false)
            guard "\(kernel.name)".contains("winograd") else { continue }
            for order in BlockOrder.all {
                let out = TestMemory([Float](repeating: canary, count: shape.weightCount))
                let products = TestMemory([Double](repeating: .nan, count: shape.outputChannels))
                try compute(kernel, fixture.task(scale: nil, out.start, products.start), order: order)
                let what = "\(kernel.name), \(shape), \(order)"
                fixture.expectProducts(products.elements, out.elements, what)
                let count = shape.windowCount
                let computed = outputs.flatMap { out.elements[$0 * count..<($0 + 1) * count] }
                expectClose(computed, expected, terms: terms, what)
                expectSameBits(out.elements, first ?? out.elements, what)
                first = out.elements
            }
        }
        #expect(first != nil || Ladder.present.isEmpty)
    }

    /// Images of which tiles would be mostly beyond the edge, and windows other than 3 x 3 at stride 1, are computed directly.
    @Test(arguments: [
        WeightGradientTests.shape(64, 64, 3, 2, 2), WeightGradientTests.shape(64, 64, 3, 5, 1),
        WeightGradientTests.shape(64, 64, 3, stride: 2, 16, 16), WeightGradientTests.shape(64, 64, 1, 16, 16),
        WeightGradientTests.shape(64, 64, 3, groups: 2, 16, 16), WeightGradientTests.shape(64, 48, 3, 16, 16),
        WeightGradientTests.shape(64, 64, 3, dilation: 2, 16, 16),
    ])
    func isNotUsedWhereItDoesNotPay(_ shape: ConvolutionShape) {
        for table in KernelTable.all {
            #expect("\(table.gradients.weights(shape, isDirect: false).name)".contains("winograd") == false)
        }
    }
}
