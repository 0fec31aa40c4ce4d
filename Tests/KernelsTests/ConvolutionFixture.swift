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
    var imageCount = 1
    /// Whether weights are packed with factors: without them before a BatchNorm in training.
    var isScaled = true
    /// The share of inputs that are not zero; of the zeros half are negative.
    var nonzero = 1.0
    let seed: UInt64

    var testDescription: String {
        """
        \(shape.inputChannels)->\(shape.outputChannels) \(shape.kernelSize)x\(shape.kernelSize) s\(shape.stride) \
        p\(shape.padding) g\(shape.groups) d\(shape.dilation) on \(imageCount) x \(shape.inputHeight)x\(shape.inputWidth), borders \(inputBorder) and \(outputBorder), \
        residual \(hasResidual), relu \(relu), scaled \(isScaled), nonzero \(nonzero), \
        seed \(seed)
        """
    }

    /// Kernel sizes 1, 3 and 7 at strides 1 and 2 on odd and tiny images, with numbers of channels around vectors; every
    /// combination of borders, residual and ReLU comes up many times.
    static let sweep: [ConvolutionCase] = {
        var cases: [ConvolutionCase] = []
        let channels = [(1, 1), (3, 5), (7, 13), (16, 8), (17, 31), (64, 3), (5, 16), (9, 48), (11, 32), (6, 65)]
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
                                hasResidual: number % 3 == 0, relu: number / 3 % 2 == 0, imageCount: 1 + number / 5 % 3,
                                isScaled: number % 7 != 0,
                                seed: UInt64(number)))
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
            hasResidual: number % 3 == 0, relu: true, imageCount: 1 + number % 2, isScaled: number % 4 != 0,
            seed: UInt64(1000 + number))
    }
}

/// A case with its memory.
final class ConvolutionFixture {
    let shape: ConvolutionShape
    var weights: [Float]
    let scale: [Double]
    let bias: TestMemory<Float>
    let input: TestActivation
    let residual: TestActivation?
    let testCase: ConvolutionCase
    /// Blocks of the largest phase of the last kernel whose output was computed.
    private(set) var blockCount = 0

    init(_ testCase: ConvolutionCase) {
        self.testCase = testCase
        shape = testCase.shape
        var generator = SeededGenerator(seed: testCase.seed)
        weights = generator.floats(shape.weightCount)
        let factors = generator.floats(shape.outputChannels, in: 0.5...2).map(Double.init)
        scale = testCase.isScaled ? factors : factors.map { _ in 1 }
        bias = TestMemory(generator.floats(shape.outputChannels))
        let (images, outputPixels) = (testCase.imageCount, shape.outputHeight * shape.outputWidth)
        var pixels = generator.floats(images * shape.inputHeight * shape.inputWidth * shape.inputChannels)
        if testCase.nonzero < 1 {
            for index in pixels.indices where Double.random(in: 0..<1, using: &generator) >= testCase.nonzero {
                pixels[index] = index % 2 == 0 ? 0 : -0.0
            }
        }
        input = TestActivation(
            imageCount: images, pixels: pixels,
            height: shape.inputHeight, width: shape.inputWidth, channels: shape.inputChannels,
            border: testCase.inputBorder)
        residual =
            testCase.hasResidual
            ? TestActivation(
                imageCount: images, pixels: generator.floats(images * outputPixels * shape.outputChannels),
                height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputChannels, border: 1) : nil
    }

    /// The output of a kernel, after a look at the surroundings. `isInPlace`: the residual is where the output goes.
    func output(
        of kernel: ConvolutionKernel, order: BlockOrder = .forward, isInPlace: Bool = false
    ) throws -> [Float] {
        try output(packedFor: kernel, isInPlace: isInPlace) { task in
            blockCount =
                (0..<kernel.kernel.needs(task).phaseCount).map { kernel.kernel.blockCount(task, $0) }.max() ?? 0
            try compute(kernel.kernel, task, order: order)
        }
    }

    /// The output of a computation with weights that a kernel packed.
    func output(
        packedFor kernel: ConvolutionKernel, isInPlace: Bool = false, _ compute: (ConvolutionTask) throws -> Void
    ) throws -> [Float] {
        let packed = TestMemory([Float](repeating: canary, count: kernel.packedCount(shape) + 1))
        kernel.pack(
            WeightPackingTask(
                shape: shape, weights: weights, scale: testCase.isScaled ? scale : nil, packed: packed.start))
        #expect(isCanary(packed.start[packed.count - 1]))
        let output = TestActivation(
            imageCount: testCase.imageCount, height: shape.outputHeight, width: shape.outputWidth,
            channels: shape.outputChannels,
            border: testCase.outputBorder)
        if isInPlace, let residual { output.set(residual.pixels) }
        let task = ConvolutionTask(
            shape: shape, imageCount: testCase.imageCount, input: input.activation, packedWeights: packed.start,
            bias: bias.start,
            residual: isInPlace ? output.activation : residual?.activation, relu: testCase.relu,
            output: output.activation)
        try withExtendedLifetime(packed) { try compute(task) }
        #expect(output.surroundingsAreUntouched, "\(testCase.testDescription)")
        return output.pixels
    }

    /// Expects the same bits in whatever order and by whatever threads blocks are computed, and in place.
    func expectSameBitsHoweverComputed(_ kernel: ConvolutionKernel, _ expected: [Float]) throws {
        for order in BlockOrder.all {
            let again = try output(of: kernel, order: order)
            expectSameBits(again, expected, "\(kernel.name), \(order) \(testCase.testDescription)")
        }
        if testCase.hasResidual {
            let inPlace = try output(of: kernel, isInPlace: true)
            expectSameBits(inPlace, expected, "\(kernel.name) in place, \(testCase.testDescription)")
        }
    }

    /// PyTorch's definition over plain arrays in the order channel, height, width, in Double, padding told by indices.
    func expected() -> [Expected] {
        let (pixels, residual) = (input.pixels, residual?.pixels)
        let inputCount = pixels.count / testCase.imageCount
        let outputCount = shape.outputHeight * shape.outputWidth * shape.outputChannels
        return (0..<testCase.imageCount).flatMap { image in
            expected(
                Array(pixels[image * inputCount..<(image + 1) * inputCount]),
                residual: residual.map { Array($0[image * outputCount..<(image + 1) * outputCount]) })
        }
    }

    private func expected(_ pixels: [Float], residual: [Float]?) -> [Expected] {
        let (height, width, inputs) = (shape.inputHeight, shape.inputWidth, shape.inputChannels)
        var planes = [Double](repeating: 0, count: pixels.count)
        for index in pixels.indices {
            planes[index % inputs * height * width + index / inputs] = Double(pixels[index])
        }
        let groupInputs = inputs / shape.groups
        let extent = shape.dilation * (shape.kernelSize - 1) + 1
        var all: [Expected] = []
        for row in 0..<(height + 2 * shape.padding - extent) / shape.stride + 1 {
            for column in 0..<(width + 2 * shape.padding - extent) / shape.stride + 1 {
                for output in 0..<shape.outputChannels {
                    let bias = Double(bias.start[output])
                    var sum = Expected(value: bias, magnitude: abs(bias))
                    let group = output / (shape.outputChannels / shape.groups)
                    for input in 0..<groupInputs {
                        for ky in 0..<shape.kernelSize {
                            let y = row * shape.stride - shape.padding + ky * shape.dilation
                            if y < 0 || y >= height { continue }
                            for kx in 0..<shape.kernelSize {
                                let x = column * shape.stride - shape.padding + kx * shape.dilation
                                if x < 0 || x >= width { continue }
                                let row = (output * groupInputs + input) * shape.kernelSize + ky
                                let index = row * shape.kernelSize + kx
                                let plane = group * groupInputs + input
                                let product =
                                    planes[(plane * height + y) * width + x] * Double(weights[index]) * scale[output]
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
    var terms: Int { shape.inputChannels / shape.groups * shape.kernelSize * shape.kernelSize + 4 }
}

extension ConvolutionKernel {
    /// Packs weights with this thread alone.
    func pack(_ task: WeightPackingTask) {
        let memory = KernelMemory(shared: task.packed, own: task.packed)
        for block in 0..<packing.blockCount(task, 0) { packing.runBlock(task, 0, block, memory) }
    }
}
