// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

extension ConvolutionCase {
    private typealias Layer = (inputs: Int, outputs: Int, groups: Int)

    /// Groups that are narrower than a vector of each instruction set, as wide, wider, and such that fit none; without
    /// groups too, for dilation.
    private static let layers: [Layer] = [
        (64, 64, 1), (7, 13, 1), (32, 48, 1), (4, 6, 2), (32, 32, 2), (64, 128, 2), (128, 128, 32), (96, 96, 24),
        (256, 256, 32), (64, 64, 4), (128, 128, 4), (128, 128, 2), (48, 48, 3), (24, 24, 3), (32, 32, 32), (6, 12, 6),
        (32, 96, 4), (96, 32, 4), (64, 32, 16), (40, 40, 10), (20, 30, 5),
    ]

    /// All of them at several dilations, strides and paddings, on images from one pixel on.
    static let groupedSweep: [ConvolutionCase] = {
        var cases: [ConvolutionCase] = []
        let sizes = [(1, 1), (1, 5), (3, 2), (9, 10)]
        for (inputs, outputs, groups) in layers {
            for dilation in [1, 2, 4] where groups > 1 || dilation > 1 {
                for stride in [1, 2] {
                    for (height, width) in sizes {
                        let number = cases.count
                        let kernelSize = number % 11 == 0 ? 1 : number % 13 == 0 ? 2 : 3
                        // Without padding where the image has room for a window.
                        let hasRoom = min(height, width) > dilation * (kernelSize - 1)
                        let shape = ConvolutionShape(
                            inputChannels: inputs, outputChannels: outputs, kernelSize: kernelSize, stride: stride,
                            padding: hasRoom && number % 2 == 0 ? 0 : dilation, groups: groups, dilation: dilation,
                            inputHeight: height, inputWidth: width)
                        cases.append(
                            ConvolutionCase(
                                shape: shape, inputBorder: shape.padding + number % 3 / 2, outputBorder: number / 2 % 2,
                                hasResidual: number % 3 == 0, relu: number / 3 % 2 == 0, imageCount: 1 + number / 5 % 3,
                                isScaled: number % 7 != 0, nonzero: number % 4 == 1 ? 0.4 : 1,
                                seed: UInt64(5000 + number)))
                    }
                }
            }
        }
        return cases
    }()

    /// Layers that are cut into several blocks.
    static let groupedCut: [ConvolutionCase] = [
        (128, 32, 1, 1, 12, 11), (128, 32, 2, 1, 23, 21), (256, 32, 1, 2, 11, 9), (512, 32, 1, 1, 10, 10),
        (128, 4, 1, 1, 11, 12), (64, 1, 1, 2, 15, 17), (60, 12, 1, 4, 21, 23), (66, 66, 1, 1, 43, 44),
    ].enumerated().map { number, layer in
        let shape = ConvolutionShape(
            inputChannels: layer.0, outputChannels: layer.0, kernelSize: 3, stride: layer.2, padding: layer.3,
            groups: layer.1, dilation: layer.3, inputHeight: layer.4, inputWidth: layer.5)
        return ConvolutionCase(
            shape: shape, inputBorder: shape.padding + number % 2, outputBorder: number / 2 % 2,
            hasResidual: number % 3 == 0, relu: true, imageCount: 1 + number % 2, isScaled: number % 4 != 0,
            seed: UInt64(6000 + number))
    }
}

@Suite struct GroupedConvolutionTests {
    /// The kernels that the tables but the reference choose for a shape, also where this CPU has better ones.
    private func kernels(_ shape: ConvolutionShape) -> [ConvolutionKernel] {
        let tables = [.portable] + Ladder.present.flatMap { [$0.table(), $0.ownTable()] }
        return tables.map { $0.convolutions[.direct, shape] }.reduce(into: []) { kernels, kernel in
            if !kernels.contains(where: { "\($0.name)" == "\(kernel.name)" }) { kernels.append(kernel) }
        }
    }

    @Test(arguments: ConvolutionCase.groupedSweep)
    func agreesWithTheDefinition(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        let reference = try fixture.output(of: KernelTable.reference.convolutions[.direct, testCase.shape])
        expectClose(reference, expected, terms: 2, "reference, \(testCase.testDescription)")
        for kernel in kernels(testCase.shape) {
            #expect(kernel.supports(testCase.shape), "\(kernel.name)")
            let actual = try fixture.output(of: kernel)
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
        }
    }

    @Test(arguments: ConvolutionCase.groupedCut)
    func hasTheSameBitsHoweverComputed(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        for kernel in kernels(testCase.shape) {
            let actual = try fixture.output(of: kernel)
            #expect(fixture.blockCount > 1, "\(kernel.name)")
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
            try fixture.expectSameBitsHoweverComputed(kernel, actual)
        }
    }

    /// A CPU with wider vectors has the same bits.
    @Test(arguments: ConvolutionCase.groupedSweep + ConvolutionCase.groupedCut)
    func hasTheBitsOfOtherInstructionSets(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        var first: [Float]?
        for rung in Ladder.present {
            let kernel = rung.table().convolutions[.direct, testCase.shape]
            let output = try fixture.output(of: kernel)
            expectSameBits(output, first ?? output, "\(kernel.name), \(testCase.testDescription)")
            first = output
        }
    }

    /// The second of two images has the bits that it has alone.
    @Test(arguments: ConvolutionCase.groupedCut)
    func dependsOnNoOtherImage(_ testCase: ConvolutionCase) throws {
        func fixture(images: Int) -> ConvolutionFixture {
            ConvolutionFixture(
                ConvolutionCase(
                    shape: testCase.shape, inputBorder: testCase.inputBorder, outputBorder: 0, hasResidual: false,
                    relu: false, imageCount: images, seed: testCase.seed))
        }
        let (two, one) = (fixture(images: 2), fixture(images: 1))
        one.input.set(Array(two.input.pixels.suffix(two.input.pixels.count / 2)))
        for kernel in kernels(testCase.shape) {
            let output = try two.output(of: kernel)
            expectSameBits(
                try one.output(of: kernel), Array(output.suffix(output.count / 2)),
                "\(kernel.name), \(testCase.testDescription)")
        }
    }

    @Test func choosesByTheWidthOfGroups() {
        let kernels = ConvolutionKernels(.vector(AVX2.self), wide: .vector(AVX512.self))
        func name(_ inputs: Int, _ outputs: Int, groups: Int) -> String {
            let shape = ConvolutionShape(
                inputChannels: inputs, outputChannels: outputs, kernelSize: 3, stride: 1, padding: 1, groups: groups,
                inputHeight: 9, inputWidth: 9)
            for algorithm in [ConvolutionAlgorithm.winograd2, .winograd4, .winograd6] {
                #expect(!kernels.have(algorithm, for: shape))
            }
            return "\(kernels[.direct, shape].name)"
        }
        let (avx512, avx2) = ("convolutionF32_grouped6x32_avx512", "convolutionF32_grouped6x16_avx2")
        #expect(name(128, 128, groups: 32) == avx512)
        #expect(name(256, 256, groups: 32) == avx2)
        #expect(name(512, 512, groups: 32) == avx512)
        #expect(name(1024, 1024, groups: 32) == avx512)
        #expect(name(48, 48, groups: 3) == avx2)
        #expect(name(64, 64, groups: 64) == "convolutionF32_grouped_portable")
        #expect(name(40, 40, groups: 10) == "convolutionF32_grouped_portable")
    }

    @Test func leavesDilationToTheDirectKernel() {
        let kernels = ConvolutionKernels(.vector(AVX2.self), wide: .vector(AVX512.self))
        let shape = ConvolutionShape(
            inputChannels: 64, outputChannels: 64, kernelSize: 3, stride: 1, padding: 2, dilation: 2, inputHeight: 9,
            inputWidth: 9)
        for algorithm in [ConvolutionAlgorithm.winograd2, .winograd4, .winograd6] {
            #expect(!kernels.have(algorithm, for: shape))
        }
        #expect(kernels[.direct, shape].supports(shape))
    }
}
