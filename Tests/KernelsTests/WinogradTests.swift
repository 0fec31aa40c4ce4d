// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

extension ConvolutionCase {
    /// Images around the size of a tile and of several, channels of few and of many vectors and panels, few channels (a
    /// block transforms its own tiles) and many (all threads share them).
    static func winograd(m: Int, lanes: Int, stride: Int) -> [ConvolutionCase] {
        var cases: [ConvolutionCase] = []
        let sizes = [1, 2, m - 1, m, m + 1, m + 2, m + 4, 2 * m, 2 * m + 1, 2 * m + 3, 3 * m - 1].filter { $0 > 0 }
        for (inputs, outputs) in [(1, 2), (3, 6), (8, 4)] {
            for (index, height) in sizes.enumerated() {
                let width = sizes[(3 * index + inputs) % sizes.count]
                let (inputs, outputs) = (inputs * lanes, outputs * lanes)
                cases.append(winograd(inputs, outputs, stride, height * stride, width * stride, number: cases.count))
            }
        }
        // Enough channels for a shared phase, enough tiles for several groups, and one tile alone.
        let panel = 2 * lanes
        let others = [
            (528, 2 * panel, 3 * m, 2 * m + 1), (528, panel, 1, 1), (64, panel, 13 * m, 7 * m - 1),
            (528, panel, 8 * m + 1, 9 * m + 2),
        ]
        for (inputs, outputs, height, width) in others {
            cases.append(winograd(inputs, outputs, stride, height * stride, width * stride, number: cases.count))
        }
        return cases
    }

    private static func winograd(
        _ inputs: Int, _ outputs: Int, _ stride: Int, _ height: Int, _ width: Int, number: Int
    ) -> ConvolutionCase {
        // At stride 2 odd sizes too, which have the same outputs as the next even ones.
        ConvolutionCase(
            shape: ConvolutionShape(
                inputChannels: inputs, outputChannels: outputs, kernelSize: 3, stride: stride, padding: 1,
                inputHeight: height - number % stride, inputWidth: width - number / 2 % stride),
            inputBorder: 1 + number % 2, outputBorder: number / 2 % 2, hasResidual: number % 3 != 0,
            relu: number % 5 != 0, imageCount: 1 + number % 3, isScaled: number % 4 != 0, seed: UInt64(5000 + number))
    }
}

extension ConvolutionFixture {
    /// What went into each output by way of the transforms: the sum of magnitudes, of which each rounding is a part.
    func winogradMagnitudes(m: Int) -> [Double] {
        let (height, width, inputs, outputs) = (
            shape.inputHeight, shape.inputWidth, shape.inputChannels, shape.outputChannels
        )
        let (outputHeight, outputWidth) = (shape.outputHeight, shape.outputWidth)
        let lines = (0...m).map { WinogradMatrices(m: m, stride: shape.stride, wanted: $0).magnitudes }
        let transformedWeights = (0..<outputs).map { output in
            (0..<inputs).map { input in
                let square = (0..<3).map { row in
                    (0..<3).map { column in
                        Double(abs(weights[((output * inputs + input) * 3 + row) * 3 + column])) * scale[output]
                    }
                }
                return transform(square, rows: lines[m].weights, columns: lines[m].weights)
            }
        }
        let pixels = input.pixels
        var all = [Double](repeating: 0, count: testCase.imageCount * outputHeight * outputWidth * outputs)
        for image in 0..<testCase.imageCount {
            for top in stride(from: 0, to: outputHeight, by: m) {
                for left in stride(from: 0, to: outputWidth, by: m) {
                    let rows = lines[min(m, outputHeight - top)]
                    let columns = lines[min(m, outputWidth - left)]
                    let zeros = [[Double]](
                        repeating: .init(repeating: 0, count: columns.indices.count), count: rows.indices.count)
                    var products = [[[Double]]](repeating: zeros, count: outputs)
                    for channel in 0..<inputs {
                        let square = (0..<rows.samples).map { row in
                            (0..<columns.samples).map { column -> Double in
                                let (y, x) = (top * shape.stride + row - 1, left * shape.stride + column - 1)
                                guard (0..<height).contains(y) && (0..<width).contains(x) else { return 0 }
                                return Double(abs(pixels[((image * height + y) * width + x) * inputs + channel]))
                            }
                        }
                        let transformed = transform(square, rows: rows.input, columns: columns.input)
                        for output in 0..<outputs {
                            let weights = transformedWeights[output][channel]
                            for (i, row) in rows.indices.enumerated() {
                                for (j, column) in columns.indices.enumerated() {
                                    products[output][i][j] += transformed[i][j] * weights[row][column]
                                }
                            }
                        }
                    }
                    for output in 0..<outputs {
                        let values = transform(products[output], rows: rows.output, columns: columns.output)
                        for row in 0..<min(m, outputHeight - top) {
                            for column in 0..<min(m, outputWidth - left) {
                                let pixel = (image * outputHeight + top + row) * outputWidth + left + column
                                all[pixel * outputs + output] = values[row][column]
                            }
                        }
                    }
                }
            }
        }
        return all
    }
}

@Suite struct WinogradTests {
    static let kernels: [(m: Int, kernel: ConvolutionKernel)] =
        AlgorithmKernels.vector.flatMap { kernels in
            [ConvolutionAlgorithm.winograd2, .winograd4, .winograd6].map { ($0.tileSize, kernels[$0]) }
        }

    static let cases = kernels.flatMap { m, kernel in
        (m <= 4 ? [1, 2] : [1]).flatMap { stride in
            ConvolutionCase.winograd(m: m, lanes: kernel.lanes, stride: stride).map { (m, kernel, $0) }
        }
    }

    /// Within the rounding errors of its own arithmetic: at most one for every addition and multiplication in a row, each a
    /// part of the magnitudes that go through the transforms (Higham, Accuracy and Stability, 3.1).
    @Test(arguments: cases)
    func agreesWithTheDefinition(m: Int, kernel: ConvolutionKernel, testCase: ConvolutionCase) throws {
        #expect(kernel.supports(testCase.shape))
        let fixture = ConvolutionFixture(testCase)
        let magnitudes = fixture.winogradMagnitudes(m: m)
        let expected = zip(fixture.expected(), magnitudes).map { expected, magnitude in
            Expected(value: expected.value, magnitude: expected.magnitude + magnitude)
        }
        // Two lines of the input transform, one of the weight transform, the products, two of the output transform, and
        // the rest.
        let terms = 2 * (m + 1) + 1 + testCase.shape.inputChannels + 2 * (m + 2) + 2
        let actual = try fixture.output(of: kernel)
        expectClose(actual, expected, terms: terms, "\(kernel.name), \(testCase.testDescription)")
        try fixture.expectSameBitsHoweverComputed(kernel, actual)
    }

    /// The bits of an image do not depend on those it is computed with.
    @Test(arguments: kernels)
    func computesAnImageAlikeInEveryBatch(m: Int, kernel: ConvolutionKernel) throws {
        let layers = [(64, 1, 3 * m + 1, 5 * m), (528, 1, m + 1, 2 * m), (64, 2, 5 * m + 1, 3 * m)]
        for (inputs, stride, height, width) in layers where stride == 1 || m <= 4 {
            let shape = ConvolutionShape(
                inputChannels: inputs, outputChannels: 32, kernelSize: 3, stride: stride, padding: 1,
                inputHeight: height, inputWidth: width)
            func output(images: Int) throws -> [Float] {
                let testCase = ConvolutionCase(
                    shape: shape, inputBorder: 1, outputBorder: 0, hasResidual: false, relu: true, imageCount: images,
                    seed: 11)
                let fixture = ConvolutionFixture(testCase)
                // The same image again and again.
                let image = ConvolutionFixture(
                    ConvolutionCase(
                        shape: shape, inputBorder: 1, outputBorder: 0, hasResidual: false, relu: true, seed: 11)
                ).input.pixels
                fixture.input.set((0..<images).flatMap { _ in image })
                return try fixture.output(of: kernel)
            }
            let alone = try output(images: 1)
            for images in [2, 3, 7] {
                let batch = try output(images: images)
                for image in 0..<images {
                    let part = Array(batch[image * alone.count..<(image + 1) * alone.count])
                    expectSameBits(part, alone, "\(kernel.name), image \(image) of \(images)")
                }
            }
        }
    }

    @Test(arguments: kernels)
    func passesOnNaN(m: Int, kernel: ConvolutionKernel) throws {
        let shape = ConvolutionShape(
            inputChannels: 16, outputChannels: 32, kernelSize: 3, stride: 1, padding: 1, inputHeight: 5, inputWidth: 5)
        let fixture = ConvolutionFixture(
            ConvolutionCase(shape: shape, inputBorder: 1, outputBorder: 0, hasResidual: false, relu: true, seed: 7))
        fixture.input.activation.pixel(row: 2, column: 2)[3] = .nan
        let output = try fixture.output(of: kernel)
        for row in 1...3 {
            for column in 1...3 {
                for channel in 0..<32 {
                    #expect(output[(row * 5 + column) * 32 + channel].isNaN, "row \(row), column \(column)")
                }
            }
        }
    }

    @Test(arguments: kernels)
    func refusesWhatItCannotCompute(m: Int, kernel: ConvolutionKernel) {
        func shape(_ inputs: Int, _ outputs: Int, size: Int = 3, stride: Int = 1) -> ConvolutionShape {
            ConvolutionShape(
                inputChannels: inputs, outputChannels: outputs, kernelSize: size, stride: stride, padding: size / 2,
                inputHeight: 9, inputWidth: 9)
        }
        let (inputs, outputs) = (kernel.lanes, 2 * kernel.lanes)
        #expect(kernel.supports(shape(inputs, outputs)))
        #expect(!kernel.supports(shape(inputs - 1, outputs)))
        #expect(!kernel.supports(shape(inputs, outputs / 2)))
        #expect(!kernel.supports(shape(inputs, outputs, size: 1)))
        #expect(kernel.supports(shape(inputs, outputs, stride: 2)) == (m <= 4))
        #expect(!kernel.supports(shape(inputs, outputs, stride: 3)))
    }
}
