// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

struct WeightGradientCase {
    let shape: ConvolutionShape
    let imageCount: Int
    let border: Int
    let seed: UInt64
}

/// Random pixels, gradients and weights of a case, and what their gradient is by its definition.
struct WeightGradientFixture {
    let testCase: WeightGradientCase
    let input: TestActivation
    let gradient: TestActivation
    let weights: TestMemory<Float>

    private var shape: ConvolutionShape { testCase.shape }

    init(_ testCase: WeightGradientCase) {
        self.testCase = testCase
        let shape = testCase.shape
        var generator = SeededGenerator(seed: testCase.seed)
        input = TestActivation(
            imageCount: testCase.imageCount,
            pixels: generator.floats(testCase.imageCount * shape.inputHeight * shape.inputWidth * shape.inputChannels),
            height: shape.inputHeight, width: shape.inputWidth, channels: shape.inputChannels, border: testCase.border)
        gradient = TestActivation(
            imageCount: testCase.imageCount, height: shape.outputHeight, width: shape.outputWidth,
            channels: shape.outputChannels, border: 1)
        gradient.set(
            generator.floats(testCase.imageCount * shape.outputHeight * shape.outputWidth * shape.outputChannels))
        weights = TestMemory(generator.floats(shape.weightCount))
    }

    /// With a factor for each channel the gradient is added to the values in memory.
    func task(
        scale: UnsafePointer<Double>?, _ out: UnsafeMutablePointer<Float>?, _ products: UnsafeMutablePointer<Double>
    ) -> WeightGradientTask {
        WeightGradientTask(
            shape: shape, imageCount: testCase.imageCount, input: input.activation, outputGradient: gradient.activation,
            scale: scale, gradient: out, accumulates: scale != nil, weights: weights.start, products: products)
    }

    /// The sums of the products of weights and gradients, channel by channel.
    func expectProducts(_ actual: [Double], _ gradients: [Float], _ what: String) {
        let weights = weights.elements
        let count = weights.count / actual.count
        for channel in actual.indices {
            let terms = (channel * count..<(channel + 1) * count).map { Double(weights[$0]) * Double(gradients[$0]) }
            let (sum, magnitude) = (terms.reduce(0, +), terms.reduce(0) { $0 + abs($1) })
            #expect(abs(actual[channel] - sum) <= 1e-6 * magnitude, "\(what), channel \(channel)")
        }
    }

    /// The gradients of some output channels, or all, in PyTorch's order of weights.
    func expected(outputs: [Int]? = nil) -> [Expected] {
        var all: [Expected] = []
        for output in outputs ?? Array(0..<shape.outputChannels) {
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
                                    let pixel = input.activation.pixel(
                                        image: image, row: fromRow, column: fromColumn)
                                    let group = output / (shape.outputChannels / shape.groups) * shape.groupInputs
                                    let product =
                                        Double(pixel[group + channel])
                                        * Double(
                                            gradient.activation.pixel(image: image, row: row, column: column)[output])
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

    /// What went into each gradient by way of the transforms of F(4 x 4, 3 x 3): the sum of magnitudes, of which each rounding is
    /// a part. In the order of `expected`.
    func winogradMagnitudes(outputs: [Int]) -> [Double] {
        let lines = WinogradMatrices(m: 4, stride: 1, wanted: 4).magnitudes
        let points = lines.weights.count
        let zeros = [[Double]](repeating: .init(repeating: 0, count: points), count: points)
        var sums = [[[Double]]](repeating: zeros, count: outputs.count * shape.inputChannels)
        for image in 0..<testCase.imageCount {
            for top in stride(from: 0, to: shape.outputHeight, by: 4) {
                for left in stride(from: 0, to: shape.outputWidth, by: 4) {
                    let inputs = (0..<shape.inputChannels).map { channel in
                        let square = magnitudes(input.activation, image, top - 1, left - 1, side: 6, channel)
                        return transform(square, rows: lines.input, columns: lines.input)
                    }
                    let gradients = outputs.map { channel in
                        let square = magnitudes(gradient.activation, image, top, left, side: 4, channel)
                        return transform(square, rows: transposed(lines.output), columns: transposed(lines.output))
                    }
                    for (output, gradient) in gradients.enumerated() {
                        for (channel, input) in inputs.enumerated() {
                            for row in 0..<points {
                                for column in 0..<points {
                                    sums[output * shape.inputChannels + channel][row][column] +=
                                        gradient[row][column] * input[row][column]
                                }
                            }
                        }
                    }
                }
            }
        }
        return sums.flatMap {
            transform($0, rows: transposed(lines.weights), columns: transposed(lines.weights)).flatMap { $0 }
        }
    }

    /// The magnitudes of a square of pixels, with zeros beyond the image.
    private func magnitudes(
        _ activation: Activation, _ image: Int, _ top: Int, _ left: Int, side: Int, _ channel: Int
    ) -> [[Double]] {
        (top..<top + side).map { row in
            (left..<left + side).map { column in
                guard (0..<activation.height).contains(row) && (0..<activation.width).contains(column) else { return 0 }
                return Double(abs(activation.pixel(image: image, row: row, column: column)[channel]))
            }
        }
    }
}

private func transposed(_ matrix: [[Double]]) -> [[Double]] {
    matrix[0].indices.map { column in matrix.map { $0[column] } }
}
