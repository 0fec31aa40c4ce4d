// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

/// One convolution with random contents.
struct ConvolutionCase: CustomTestStringConvertible {
    let shape: ConvolutionShape
    let inputBorder: Int
    let outputBorder: Int
    let hasResidual: Bool
    let relu: Bool
    let seed: UInt64

    var testDescription: String {
        """
        \(shape.inputChannels)->\(shape.outputChannels) \(shape.kernelSize)x\(shape.kernelSize) s\(shape.stride) \
        p\(shape.padding) on \(shape.inputHeight)x\(shape.inputWidth), borders \(inputBorder) and \(outputBorder), \
        residual \(hasResidual), relu \(relu), seed \(seed)
        """
    }

    /// Kernel sizes 1, 3 and 7 at strides 1 and 2 on odd and tiny images, with numbers of channels around vectors; every
    /// combination of borders, residual and ReLU comes up many times.
    static let sweep: [ConvolutionCase] = {
        var cases: [ConvolutionCase] = []
        let channels = [(1, 1), (3, 5), (7, 13), (16, 8), (17, 31), (64, 3), (5, 16), (9, 48)]
        let sizes = [(1, 1), (1, 5), (2, 3), (7, 7), (9, 4)]
        for kernelSize in [1, 3, 7] {
            for stride in [1, 2] {
                for (inputs, outputs) in channels {
                    for (height, width) in sizes {
                        let number = cases.count
                        let shape = ConvolutionShape(
                            inputChannels: inputs, outputChannels: outputs, kernelSize: kernelSize, stride: stride,
                            padding: kernelSize / 2, inputHeight: height, inputWidth: width)
                        cases.append(
                            ConvolutionCase(
                                shape: shape, inputBorder: shape.padding + number % 3 / 2, outputBorder: number / 2 % 2,
                                hasResidual: number % 3 == 0, relu: number / 3 % 2 == 0, seed: UInt64(number)))
                    }
                }
            }
        }
        return cases
    }()

    /// Layers that are cut into several blocks: of pixels, of channels, of both.
    static let cut: [ConvolutionCase] = [
        (128, 3, 3, 1, 31, 17), (128, 3, 3, 2, 33, 35), (509, 2, 1, 1, 29, 37), (3, 20, 7, 2, 97, 101),
        (251, 131, 3, 1, 7, 5), (1031, 257, 1, 1, 5, 7),
    ].enumerated().map { number, layer in
        let shape = ConvolutionShape(
            inputChannels: layer.0, outputChannels: layer.1, kernelSize: layer.2, stride: layer.3,
            padding: layer.2 / 2, inputHeight: layer.4, inputWidth: layer.5)
        return ConvolutionCase(
            shape: shape, inputBorder: shape.padding + number % 2, outputBorder: number / 2 % 2,
            hasResidual: number % 3 == 0, relu: true, seed: UInt64(1000 + number))
    }
}

/// A case with its memory.
final class ConvolutionFixture {
    let shape: ConvolutionShape
    let weights: [Float]
    let scale: [Double]
    let bias: TestMemory<Float>
    let input: TestActivation
    let residual: TestActivation?
    private let testCase: ConvolutionCase

    init(_ testCase: ConvolutionCase) {
        self.testCase = testCase
        shape = testCase.shape
        var generator = SeededGenerator(seed: testCase.seed)
        weights = generator.floats(shape.weightCount)
        scale = generator.floats(shape.outputChannels, in: 0.5...2).map(Double.init)
        bias = TestMemory(generator.floats(shape.outputChannels))
        input = TestActivation(
            pixels: generator.floats(shape.inputHeight * shape.inputWidth * shape.inputChannels),
            height: shape.inputHeight, width: shape.inputWidth, channels: shape.inputChannels,
            border: testCase.inputBorder)
        residual =
            testCase.hasResidual
            ? TestActivation(
                pixels: generator.floats(shape.outputHeight * shape.outputWidth * shape.outputChannels),
                height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputChannels, border: 1) : nil
    }

    /// The output of a kernel, after a look at the surroundings. `isInPlace`: the residual is where the output goes.
    func output(
        of kernel: ConvolutionKernel, order: BlockOrder = .forward, isInPlace: Bool = false, isScaled: Bool = true
    ) throws -> [Float] {
        let packed = TestMemory([Float](repeating: canary, count: kernel.packedCount(shape) + 1))
        kernel.pack(shape, weights, isScaled ? scale : nil, packed.start)
        #expect(isCanary(packed.start[packed.count - 1]))
        let output = TestActivation(
            height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputChannels,
            border: testCase.outputBorder)
        if isInPlace, let residual {
            let pixels = residual.pixels
            for row in 0..<shape.outputHeight {
                for column in 0..<shape.outputWidth {
                    for channel in 0..<shape.outputChannels {
                        output.activation.pixel(row: row, column: column)[channel] =
                            pixels[(row * shape.outputWidth + column) * shape.outputChannels + channel]
                    }
                }
            }
        }
        let task = ConvolutionTask(
            shape: shape, input: input.activation, packedWeights: packed.start, bias: bias.start,
            residual: isInPlace ? output.activation : residual?.activation, relu: testCase.relu,
            output: output.activation)
        try withExtendedLifetime(packed) { try compute(kernel.asBlockKernel, task, order: order) }
        #expect(output.surroundingsAreUntouched, "\(testCase.testDescription)")
        return output.pixels
    }

    /// PyTorch's definition over plain arrays in the order channel, height, width, in Double, padding told by indices.
    func expected() -> [Expected] {
        let pixels = input.pixels
        let (height, width, inputs) = (shape.inputHeight, shape.inputWidth, shape.inputChannels)
        var planes = [Double](repeating: 0, count: pixels.count)
        for index in pixels.indices {
            planes[index % inputs * height * width + index / inputs] = Double(pixels[index])
        }
        let residual = residual?.pixels
        var all: [Expected] = []
        for row in 0..<(height + 2 * shape.padding - shape.kernelSize) / shape.stride + 1 {
            for column in 0..<(width + 2 * shape.padding - shape.kernelSize) / shape.stride + 1 {
                for output in 0..<shape.outputChannels {
                    let bias = Double(bias.start[output])
                    var sum = Expected(value: bias, magnitude: abs(bias))
                    for input in 0..<inputs {
                        for ky in 0..<shape.kernelSize {
                            let y = row * shape.stride - shape.padding + ky
                            if y < 0 || y >= height { continue }
                            for kx in 0..<shape.kernelSize {
                                let x = column * shape.stride - shape.padding + kx
                                if x < 0 || x >= width { continue }
                                let index = ((output * inputs + input) * shape.kernelSize + ky) * shape.kernelSize + kx
                                let product =
                                    planes[(input * height + y) * width + x] * Double(weights[index]) * scale[output]
                                sum.value += product
                                sum.magnitude += abs(product)
                            }
                        }
                    }
                    if let residual {
                        sum.value += Double(residual[all.count])
                        sum.magnitude += Double(abs(residual[all.count]))
                    }
                    if testCase.relu { sum.value = max(sum.value, 0) }
                    all.append(sum)
                }
            }
        }
        return all
    }

    /// Roundings on the way to one value: of the weights, products and sums, and of the epilogue.
    var terms: Int { shape.inputChannels * shape.kernelSize * shape.kernelSize + 4 }
}

@Suite struct ConvolutionTests {
    @Test(arguments: ConvolutionCase.sweep)
    func agreesWithTheDefinition(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        let reference = try fixture.output(of: KernelTable.reference.convolution)
        // The reference rounds a weight once and the sum once.
        expectClose(reference, expected, terms: 2, "reference, \(testCase.testDescription)")
        for kernel in ConvolutionKernel.optimized {
            let actual = try fixture.output(of: kernel)
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
        }
    }

    @Test(arguments: ConvolutionCase.cut)
    func agreesWithTheReferenceAcrossBlocks(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        for kernel in ConvolutionKernel.optimized {
            #expect(kernel.blockCount(fixture.shape) > 1, "\(kernel.name)")
            let actual = try fixture.output(of: kernel)
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
            for order in BlockOrder.all {
                let again = try fixture.output(of: kernel, order: order)
                expectSameBits(again, actual, "\(kernel.name), \(order) \(testCase.testDescription)")
            }
        }
    }

    @Test(arguments: (ConvolutionCase.sweep + ConvolutionCase.cut).filter(\.hasResidual))
    func addsToWhatStandsInTheOutput(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        for kernel in ConvolutionKernel.optimized {
            let actual = try fixture.output(of: kernel, isInPlace: true)
            expectSameBits(actual, try fixture.output(of: kernel), "\(kernel.name), \(testCase.testDescription)")
        }
    }

    @Test(arguments: [KernelTable.reference.convolution] + ConvolutionKernel.optimized)
    func passesOnNaN(_ kernel: ConvolutionKernel) throws {
        let shape = ConvolutionShape(
            inputChannels: 4, outputChannels: 11, kernelSize: 3, stride: 1, padding: 1, inputHeight: 5, inputWidth: 5)
        let fixture = ConvolutionFixture(
            ConvolutionCase(
                shape: shape, inputBorder: 1, outputBorder: 0, hasResidual: false, relu: true, seed: 7))
        fixture.input.activation.pixel(row: 0, column: 0)[2] = .nan
        let output = try fixture.output(of: kernel)
        for (index, value) in output.enumerated() {
            let (row, column) = (index / 11 / 5, index / 11 % 5)
            #expect(value.isNaN == (row <= 1 && column <= 1), "row \(row), column \(column)")
        }
    }

    @Test(arguments: [KernelTable.reference.convolution] + ConvolutionKernel.optimized)
    func packsWithoutScale(_ kernel: ConvolutionKernel) throws {
        // 1x1 on one pixel that is 1 in one channel: the output is a column of the weights, to the bit.
        let shape = ConvolutionShape(
            inputChannels: 3, outputChannels: 7, kernelSize: 1, stride: 1, padding: 0, inputHeight: 1, inputWidth: 1)
        let fixture = ConvolutionFixture(
            ConvolutionCase(shape: shape, inputBorder: 0, outputBorder: 0, hasResidual: false, relu: false, seed: 3))
        let pixel = fixture.input.activation.origin
        (pixel[0], pixel[1], pixel[2]) = (0, 1, 0)
        let output = try fixture.output(of: kernel, isScaled: false)
        expectSameBits(output, (0..<7).map { fixture.weights[$0 * 3 + 1] + fixture.bias.start[$0] }, "\(kernel.name)")
    }
}

extension ConvolutionKernel: CustomTestStringConvertible {
    /// All that the CPU at hand can run, but for the reference.
    static let optimized: [ConvolutionKernel] =
        [KernelTable.portable.convolution]
        + (CPUFeatures.detected.contains(.avx2) ? [KernelTable.avx2.convolution] : [])

    public var testDescription: String { "\(name)" }
}
