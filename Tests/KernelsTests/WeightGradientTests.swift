// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct WeightGradientTests {
    static func shape(
        _ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1, dilation: Int = 1,
        _ height: Int, _ width: Int
    ) -> ConvolutionShape {
        ConvolutionShape(
            inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: stride,
            padding: dilation * (kernel - 1) / 2, groups: groups, dilation: dilation, inputHeight: height,
            inputWidth: width)
    }

    /// Channels around vectors, tiles and panels; strides, groups and dilation; parts of rows and chunks of parts.
    static let sweep: [WeightGradientCase] = [
        shape(1, 1, 1, 1, 1), shape(3, 2, 3, 4, 5), shape(3, 64, 7, stride: 2, 33, 30), shape(5, 4, 1, 7, 7),
        shape(16, 16, 3, 9, 8), shape(16, 7, 3, stride: 2, 9, 9), shape(32, 9, 1, stride: 2, 8, 7),
        shape(64, 64, 1, 28, 28), shape(64, 65, 3, 7, 7), shape(33, 67, 3, 6, 5), shape(40, 13, 1, 300, 2),
        shape(96, 130, 1, 3, 3), shape(8, 12, 3, dilation: 2, 9, 11), shape(32, 24, 3, dilation: 3, 8, 8),
        shape(16, 16, 3, groups: 4, 7, 6), shape(24, 12, 3, stride: 2, groups: 3, 9, 8),
        shape(8, 8, 3, groups: 8, 5, 5),
        shape(320, 11, 1, 5, 5), shape(130, 70, 3, 5, 4), shape(64, 32, 3, 5, 7),
    ].enumerated().map { number, shape in
        WeightGradientCase(
            shape: shape, imageCount: 1 + number % 4, border: shape.padding + number % 2, seed: UInt64(7000 + number))
    }

    static let kernels = [ReferenceWeightGradient.kernel, PortableWeightGradient.kernel]

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: WeightGradientCase) throws {
        let shape = testCase.shape
        let fixture = WeightGradientFixture(testCase)
        let expected = fixture.expected()
        let terms = testCase.imageCount * shape.outputHeight * shape.outputWidth + 2
        var vectors: [Float]?
        for kernel in Self.kernels + KernelTable.all.map(\.gradients.weights) {
            var first: [Float]?
            for order in BlockOrder.all(for: kernel.name) {
                let out = TestMemory([Float](repeating: canary, count: shape.weightCount))
                let products = TestMemory([Double](repeating: .nan, count: shape.outputChannels))
                try compute(kernel, fixture.task(scale: nil, out.start, products.start), order: order)
                fixture.expectProducts(products.elements, out.elements, "\(kernel.name), \(shape), \(order)")
                expectClose(out.elements, expected, terms: terms, "\(kernel.name), \(shape), \(order)")
                expectSameBits(out.elements, first ?? out.elements, "\(kernel.name), \(shape), \(order)")
                first = out.elements
            }
            guard "\(kernel.name)".contains("avx"), let first else { continue }
            expectSameBits(first, vectors ?? first, "\(kernel.name), \(shape), beside another instruction set")
            vectors = first
        }
    }

    /// A factor for each channel, and gradients that are added to others or not wanted at all.
    @Test(arguments: sweep.filter { $0.shape.kernelSize < 7 })
    func isScaledAndAdded(_ testCase: WeightGradientCase) throws {
        let (shape, fixture) = (testCase.shape, WeightGradientFixture(testCase))
        var generator = SeededGenerator(seed: testCase.seed + 1)
        let scale = TestMemory(generator.floats(shape.outputChannels, in: -2...2).map(Double.init))
        let before = generator.floats(shape.weightCount)
        for kernel in Self.kernels + KernelTable.all.map({ $0.gradients.weights(shape, isDirect: false) }) {
            let (plain, scaled) = (TestMemory([Float](repeating: 0, count: shape.weightCount)), TestMemory(before))
            let products = [
                TestMemory([Double](repeating: 0, count: shape.outputChannels)),
                TestMemory([Double](repeating: 0, count: shape.outputChannels)),
            ]
            try compute(kernel, fixture.task(scale: nil, plain.start, products[0].start))
            try compute(kernel, fixture.task(scale: scale.start, scaled.start, products[1].start))
            #expect(products[0].elements == products[1].elements, "\(kernel.name)")
            for index in before.indices {
                let factor = Float(scale.elements[index / shape.windowCount])
                let expected = Double(before[index]) + Double(factor) * Double(plain.elements[index])
                let allowed = 3e-7 * (abs(Double(before[index])) + abs(Double(factor) * Double(plain.elements[index])))
                #expect(abs(Double(scaled.elements[index]) - expected) <= allowed, "\(kernel.name), \(index)")
            }
            try compute(kernel, fixture.task(scale: scale.start, nil, products[1].start))
            #expect(products[0].elements == products[1].elements, "\(kernel.name), no gradient")
        }
    }
}
