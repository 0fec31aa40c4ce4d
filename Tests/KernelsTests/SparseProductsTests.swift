// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

/// Convolutions whose inputs are mostly zero, which the kernels for vectors compute by what is not.
@Suite struct SparseProductsTests {
    /// Panels in groups of four and two, alone, and not whole; one step and many; more pixels than take their turn with the
    /// weights at once, and fewer than a tile has.
    static let cases: [ConvolutionCase] = [
        (64, 64, 1, 1, 5, 7), (64, 128, 1, 1, 21, 19), (128, 256, 1, 2, 9, 11), (192, 96, 1, 1, 3, 4),
        (64, 224, 1, 1, 1, 2), (64, 100, 1, 1, 6, 5), (320, 32, 1, 1, 4, 4), (64, 64, 3, 1, 6, 5),
        (64, 200, 3, 2, 7, 9),
        (128, 64, 3, 1, 2, 1), (64, 36, 7, 2, 5, 6), (64, 64, 1, 1, 1, 1), (256, 128, 1, 1, 17, 12),
    ].enumerated().map { number, layer in
        let shape = ConvolutionShape(
            inputChannels: layer.0, outputChannels: layer.1, kernelSize: layer.2, stride: layer.3,
            padding: layer.2 / 2, inputHeight: layer.4, inputWidth: layer.5)
        return ConvolutionCase(
            shape: shape, inputBorder: shape.padding + number % 2, outputBorder: number / 2 % 2,
            hasResidual: number % 3 == 0, relu: number % 4 != 1, imageCount: 1 + number % 3, isScaled: number % 5 != 0,
            nonzero: [0.5, 0.1, 0.55, 0][number % 4], seed: UInt64(3000 + number))
    }

    @Test(arguments: cases)
    func agreesWithTheDefinition(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        let expected = fixture.expected()
        for kernel in ConvolutionKernel.optimized {
            let actual = try fixture.output(of: kernel)
            expectClose(actual, expected, terms: fixture.terms, "\(kernel.name), \(testCase.testDescription)")
            try fixture.expectSameBitsHoweverComputed(kernel, actual)
        }
    }

    @Test(arguments: cases)
    func hasTheBitsOfTiles(_ testCase: ConvolutionCase) throws {
        let fixture = ConvolutionFixture(testCase)
        for kernel in ConvolutionKernel.vectorized {
            if kernel.lanes == 16 {
                try expectTheBitsOfTiles(AVX512.self, kernel, fixture)
            } else {
                try expectTheBitsOfTiles(AVX2.self, kernel, fixture)
            }
        }
    }

    /// Computes all pixels as one block, in both ways.
    private func expectTheBitsOfTiles<Instructions: VectorInstructions>(
        _: Instructions.Type, _ kernel: ConvolutionKernel, _ fixture: ConvolutionFixture
    ) throws {
        let shape = fixture.shape
        let panelCount = divideRoundingUp(shape.outputChannels, Instructions.panelWidth)
        func output(isSparse: Bool) throws -> [Float] {
            try fixture.output(packedFor: kernel) { task in
                typealias Sparse = SparseProducts<Instructions>
                let sparseCount = Sparse.scratchCount(shape, pixels: task.pixelCount)
                let count = TileAddresses.scratchCount(
                    pixels: task.pixelCount, channels: shape.outputChannels, panelWidth: Instructions.panelWidth)
                let scratch = TestMemory([Float](repeating: canary, count: sparseCount + count))
                let addresses = TileAddresses(
                    task, pixels: 0..<task.pixelCount, panelWidth: Instructions.panelWidth,
                    scratch: scratch.start + sparseCount)
                var panels = 0..<panelCount
                if isSparse {
                    let sparse = try #require(Sparse(task, addresses, scratch: scratch.start))
                    panels = sparse.compute(panels)
                    // The rest outside of pairs of whole panels.
                    let whole = shape.outputChannels / Instructions.panelWidth
                    #expect(panels == whole / 2 * 2..<panelCount)
                }
                TiledProducts<Instructions>(task, addresses).compute(panels)
                withExtendedLifetime(scratch) {}
            }
        }
        // The sign of a zero may be another where no ReLU follows.
        let (sparse, tiled) = (try output(isSparse: true), try output(isSparse: false))
        expectSameBits(
            sparse.map { $0 + 0 }, tiled.map { $0 + 0 }, "\(kernel.name), \(fixture.testCase.testDescription)")
        if fixture.testCase.relu { expectSameBits(sparse, tiled, "\(kernel.name)") }
    }

    /// Pixels among others with zeros and without have the same bits.
    @Test func dependsOnNoOtherPixel() throws {
        let shape = ConvolutionShape(
            inputChannels: 64, outputChannels: 64, kernelSize: 1, stride: 1, padding: 0, inputHeight: 10, inputWidth: 10
        )
        let outputs = try [0.3, 1].map { nonzero in
            let fixture = ConvolutionFixture(
                ConvolutionCase(
                    shape: shape, inputBorder: 0, outputBorder: 0, hasResidual: false, relu: true, nonzero: nonzero,
                    seed: 4))
            let pixel = fixture.input.activation.pixel(row: 4, column: 3)
            for channel in 0..<64 { pixel[channel] = channel % 3 == 0 ? 0 : Float(channel) / 50 - 0.5 }
            return try ConvolutionKernel.optimized.map { try Array(fixture.output(of: $0)[43 * 64..<44 * 64]) }
        }
        for (sparse, dense) in zip(outputs[0], outputs[1]) { expectSameBits(sparse, dense, "pixel 43") }
    }

    /// 0 times infinity is NaN, though the input is zero.
    @Test(arguments: [Float.infinity, -.infinity, .nan])
    func passesOnWeightsThatAreNotFinite(_ weight: Float) throws {
        let shape = ConvolutionShape(
            inputChannels: 64, outputChannels: 64, kernelSize: 1, stride: 1, padding: 0, inputHeight: 3, inputWidth: 3)
        let fixture = ConvolutionFixture(
            ConvolutionCase(
                shape: shape, inputBorder: 0, outputBorder: 0, hasResidual: false, relu: true, nonzero: 0, seed: 5))
        fixture.weights[7 * 64 + 63] = weight
        for kernel in [AlgorithmKernels.reference[.direct]] + ConvolutionKernel.optimized {
            let output = try fixture.output(of: kernel)
            for (index, value) in output.enumerated() {
                #expect(value.isNaN == (index % 64 == 7), "\(kernel.name), element \(index)")
            }
        }
    }

    @Test func passesOnInputsThatAreNotFinite() throws {
        let shape = ConvolutionShape(
            inputChannels: 64, outputChannels: 128, kernelSize: 1, stride: 1, padding: 0, inputHeight: 3, inputWidth: 3)
        let fixture = ConvolutionFixture(
            ConvolutionCase(
                shape: shape, inputBorder: 0, outputBorder: 0, hasResidual: false, relu: false, nonzero: 0.2, seed: 6))
        fixture.input.activation.pixel(row: 1, column: 1)[40] = .nan
        fixture.input.activation.pixel(row: 2, column: 0)[63] = .infinity
        for kernel in ConvolutionKernel.optimized {
            let output = try fixture.output(of: kernel)
            for (index, value) in output.enumerated() {
                #expect(value.isNaN == (index / 128 == 4), "\(kernel.name), element \(index)")
                #expect(value.isInfinite == (index / 128 == 6), "\(kernel.name), element \(index)")
            }
        }
    }
}
