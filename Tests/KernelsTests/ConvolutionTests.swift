// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct ConvolutionTests {
    @Test(arguments: ConvolutionCase.sweep)
    func agreesWithTheDefinition(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        let reference = try fixture.output(of: AlgorithmKernels.reference[.direct])
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
            let actual = try fixture.output(of: kernel)
            #expect(fixture.blockCount > 1, "\(kernel.name)")
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
            try fixture.expectSameBitsHoweverComputed(kernel, actual)
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

    @Test(arguments: [AlgorithmKernels.reference[.direct]] + ConvolutionKernel.optimized)
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

    @Test(arguments: [AlgorithmKernels.reference[.direct]] + ConvolutionKernel.optimized)
    func packsWithoutScale(_ kernel: ConvolutionKernel) throws {
        // 1x1 on one pixel that is 1 in one channel: the output is a column of the weights, to the bit.
        let shape = ConvolutionShape(
            inputChannels: 3, outputChannels: 7, kernelSize: 1, stride: 1, padding: 0, inputHeight: 1, inputWidth: 1)
        let fixture = ConvolutionFixture(
            ConvolutionCase(
                shape: shape, inputBorder: 0, outputBorder: 0, hasResidual: false, relu: false,
                isScaled: false, seed: 3))
        let pixel = fixture.input.activation.origin
        (pixel[0], pixel[1], pixel[2]) = (0, 1, 0)
        let output = try fixture.output(of: kernel)
        expectSameBits(output, (0..<7).map { fixture.weights[$0 * 3 + 1] + fixture.bias.start[$0] }, "\(kernel.name)")
    }
}

@Suite struct ConvolutionKernelsTests {
    /// What does not fill wider vectors is computed by the narrower ones, by the same algorithm.
    @Test func choosesWideVectorsForShapesThatFillThem() {
        let (narrow, wide) = (AlgorithmKernels.vector(AVX2.self), AlgorithmKernels.vector(AVX512.self))
        let kernels = ConvolutionKernels(narrow, wide: wide)
        func shape(_ inputs: Int, _ outputs: Int) -> ConvolutionShape {
            ConvolutionShape(
                inputChannels: inputs, outputChannels: outputs, kernelSize: 3, stride: 1, padding: 1, inputHeight: 9,
                inputWidth: 9)
        }
        for (inputs, outputs) in [(3, 64), (16, 32), (24, 32), (16, 48), (8, 16), (7, 5)] {
            let shape = shape(inputs, outputs)
            for index in 0..<ConvolutionAlgorithm.count {
                guard let algorithm = ConvolutionAlgorithm(rawValue: index) else { continue }
                let isWide = outputs % 32 == 0 && (algorithm == .direct || inputs % 16 == 0)
                let expected = (isWide ? wide : narrow)[algorithm]
                let place = "\(algorithm), \(inputs) to \(outputs)"
                #expect("\(kernels[algorithm, shape].name)" == "\(expected.name)", "\(place)")
                #expect(
                    kernels.have(algorithm, for: shape) == ConvolutionKernels(narrow).have(algorithm, for: shape),
                    "\(place)")
            }
        }
    }
}

extension ConvolutionKernel: CustomTestStringConvertible {
    /// All direct ones that the CPU at hand can run, but for the reference.
    static let optimized: [ConvolutionKernel] = [AlgorithmKernels.portable[.direct]] + vectorized

    /// Those for vectors.
    static let vectorized: [ConvolutionKernel] = AlgorithmKernels.vector.map { $0[.direct] }

    /// Floats of its vectors.
    var lanes: Int { "\(name)".hasSuffix("avx512") ? 16 : 8 }

    public var testDescription: String { "\(name)" }
}
