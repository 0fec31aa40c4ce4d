// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct WeightGradientTests {
    struct Case {
        let shape: ConvolutionShape
        let imageCount: Int
        let border: Int
        let seed: UInt64
    }

    private static func shape(
        _ inputs: Int, _ outputs: Int, _ kernel: Int, stride: Int = 1, groups: Int = 1, dilation: Int = 1,
        _ height: Int, _ width: Int
    ) -> ConvolutionShape {
        ConvolutionShape(
            inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: stride,
            padding: dilation * (kernel - 1) / 2, groups: groups, dilation: dilation, inputHeight: height,
            inputWidth: width)
    }

    /// Channels around vectors, tiles and panels; strides, groups and dilation; parts of rows and chunks of parts.
    static let sweep: [Case] = [
        shape(1, 1, 1, 1, 1), shape(3, 2, 3, 4, 5), shape(3, 64, 7, stride: 2, 33, 30), shape(5, 4, 1, 7, 7),
        shape(16, 16, 3, 9, 8), shape(16, 7, 3, stride: 2, 9, 9), shape(32, 9, 1, stride: 2, 8, 7),
        shape(64, 64, 1, 28, 28), shape(64, 65, 3, 7, 7), shape(33, 67, 3, 6, 5), shape(40, 13, 1, 300, 2),
        shape(96, 130, 1, 3, 3), shape(8, 12, 3, dilation: 2, 9, 11), shape(32, 24, 3, dilation: 3, 8, 8),
        shape(16, 16, 3, groups: 4, 7, 6), shape(24, 12, 3, stride: 2, groups: 3, 9, 8),
        shape(8, 8, 3, groups: 8, 5, 5),
        shape(320, 11, 1, 5, 5), shape(130, 70, 3, 5, 4),
    ].enumerated().map { number, shape in
        Case(
            shape: shape, imageCount: 1 + number % 4, border: shape.padding + number % 2, seed: UInt64(7000 + number))
    }

    static let kernels = [ReferenceWeightGradient.kernel, PortableWeightGradient.kernel]

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        let shape = testCase.shape
        var generator = SeededGenerator(seed: testCase.seed)
        let pixels = generator.floats(
            testCase.imageCount * shape.inputHeight * shape.inputWidth * shape.inputChannels)
        let gradients = generator.floats(
            testCase.imageCount * shape.outputHeight * shape.outputWidth * shape.outputChannels)
        let input = TestActivation(
            imageCount: testCase.imageCount, pixels: pixels, height: shape.inputHeight, width: shape.inputWidth,
            channels: shape.inputChannels, border: testCase.border)
        let gradient = TestActivation(
            imageCount: testCase.imageCount, height: shape.outputHeight, width: shape.outputWidth,
            channels: shape.outputChannels, border: 1)
        gradient.set(gradients)
        let weights = TestMemory(generator.floats(shape.weightCount))
        let expected = definition(testCase, input.activation, gradient.activation)
        let terms = testCase.imageCount * shape.outputHeight * shape.outputWidth + 2
        var vectors: [Float]?
        for kernel in Self.kernels + KernelTable.all.map(\.gradients.weights) {
            var first: [Float]?
            for order in BlockOrder.all(for: kernel.name) {
                let out = TestMemory([Float](repeating: canary, count: shape.weightCount))
                let products = TestMemory([Double](repeating: .nan, count: shape.outputChannels))
                let task = WeightGradientTask(
                    shape: shape, imageCount: testCase.imageCount, input: input.activation,
                    outputGradient: gradient.activation, scale: nil, gradient: out.start, accumulates: false,
                    weights: weights.start, products: products.start)
                try compute(kernel, task, order: order)
                expectProducts(products.elements, weights.elements, out.elements, "\(kernel.name), \(shape), \(order)")
                expectClose(out.elements, expected, terms: terms, "\(kernel.name), \(shape), \(order)")
                expectSameBits(out.elements, first ?? out.elements, "\(kernel.name), \(shape), \(order)")
                first = out.elements
            }
            guard "\(kernel.name)".contains("avx"), let first else { continue }
            expectSameBits(first, vectors ?? first, "\(kernel.name), \(shape), beside another instruction set")
            vectors = first
        }
    }

    /// The sums of the products of weights and gradients, channel by channel.
    private func expectProducts(_ actual: [Double], _ weights: [Float], _ gradients: [Float], _ what: String) {
        let count = weights.count / actual.count
        for channel in actual.indices {
            let terms = (channel * count..<(channel + 1) * count).map { Double(weights[$0]) * Double(gradients[$0]) }
            let (sum, magnitude) = (terms.reduce(0, +), terms.reduce(0) { $0 + abs($1) })
            #expect(abs(actual[channel] - sum) <= 1e-6 * magnitude, "\(what), channel \(channel)")
        }
    }

    /// A factor for each channel, and gradients that are added to others or not wanted at all.
    @Test(arguments: sweep.filter { $0.shape.kernelSize < 7 })
    func isScaledAndAdded(_ testCase: Case) throws {
        let shape = testCase.shape
        var generator = SeededGenerator(seed: testCase.seed + 1)
        let batch = TestActivation(
            imageCount: testCase.imageCount,
            pixels: generator.floats(testCase.imageCount * shape.inputHeight * shape.inputWidth * shape.inputChannels),
            height: shape.inputHeight, width: shape.inputWidth, channels: shape.inputChannels, border: testCase.border)
        let gradient = TestActivation(
            imageCount: testCase.imageCount,
            pixels: generator.floats(
                testCase.imageCount * shape.outputHeight * shape.outputWidth * shape.outputChannels),
            height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputChannels, border: 0)
        let scale = TestMemory(generator.floats(shape.outputChannels, in: -2...2).map(Double.init))
        let weights = TestMemory(generator.floats(shape.weightCount))
        let before = generator.floats(shape.weightCount)
        for kernel in Self.kernels + KernelTable.all.map(\.gradients.weights) {
            let (plain, scaled) = (TestMemory([Float](repeating: 0, count: shape.weightCount)), TestMemory(before))
            let products = [
                TestMemory([Double](repeating: 0, count: shape.outputChannels)),
                TestMemory([Double](repeating: 0, count: shape.outputChannels)),
            ]
            func task(_ scale: UnsafePointer<Double>?, _ out: UnsafeMutablePointer<Float>?, _ index: Int)
                -> WeightGradientTask
            {
                WeightGradientTask(
                    shape: shape, imageCount: testCase.imageCount, input: batch.activation,
                    outputGradient: gradient.activation, scale: scale, gradient: out, accumulates: scale != nil,
                    weights: weights.start, products: products[index].start)
            }
            try compute(kernel, task(nil, plain.start, 0))
            try compute(kernel, task(scale.start, scaled.start, 1))
            #expect(products[0].elements == products[1].elements, "\(kernel.name)")
            for index in before.indices {
                let factor = Float(scale.elements[index / shape.windowCount])
                let expected = Double(before[index]) + Double(factor) * Double(plain.elements[index])
                let allowed = 3e-7 * (abs(Double(before[index])) + abs(Double(factor) * Double(plain.elements[index])))
                #expect(abs(Double(scaled.elements[index]) - expected) <= allowed, "\(kernel.name), \(index)")
            }
            try compute(kernel, task(scale.start, nil, 1))
            #expect(products[0].elements == products[1].elements, "\(kernel.name), no gradient")
        }
    }

    /// In PyTorch's order of weights.
    private func definition(_ testCase: Case, _ input: Activation, _ gradient: Activation) -> [Expected] {
        let shape = testCase.shape
        var all: [Expected] = []
        for output in 0..<shape.outputChannels {
            for channel in 0..<shape.groupInputs {
                for y in 0..<shape.kernelSize {
                    for x in 0..<shape.kernelSize {
                        var sum = Expected(value: 0, magnitude: 0)
                        for image in 0..<testCase.imageCount {
                            for row in 0..<shape.outputHeight {
                                for column in 0..<shape.outputWidth {
                                    let (fromRow, fromColumn) = (
                                        row * shape.stride - shape.padding + y * shape.dilation,
                                        column * shape.stride - shape.padding + x * shape.dilation
                                    )
                                    guard (0..<shape.inputHeight).contains(fromRow),
                                        (0..<shape.inputWidth).contains(fromColumn)
                                    else { continue }
                                    let pixel = input.pixel(image: image, row: fromRow, column: fromColumn)
                                    let group = output / (shape.outputChannels / shape.groups) * shape.groupInputs
                                    let product =
                                        Double(pixel[group + channel])
                                        * Double(gradient.pixel(image: image, row: row, column: column)[output])
                                    sum.value += product
                                    sum.magnitude += abs(product)
                                }
                            }
                        }
                        all.append(sum)
                    }
                }
            }
        }
        return all
    }
}
