// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime
import Testing

@testable import Kernels

/// What a debug build asserts of each task before it is computed. The other tests of this module go through the same
/// assertions with whole images; these add the tasks that only plans make.
@Suite struct ContractTests {
    /// Ten rows of nine pixels of four channels, which the border follows.
    private let image = TestActivation(height: 10, width: 9, channels: 4, border: 1)

    private func rows(_ rows: Range<Int>, of activation: Activation) -> Activation {
        Activation(
            origin: activation.pixel(row: rows.lowerBound, column: 0), height: rows.count, width: activation.width,
            channels: activation.channels, border: activation.border, imageStride: activation.imageStride)
    }

    @Test(arguments: [0..<2, 1..<4, 4..<5])
    func acceptsPoolingOfABand(_ band: Range<Int>) {
        let output = TestActivation(height: 5, width: 5, channels: 4, border: 0)
        let read = max(band.lowerBound * 2 - 1, 0)..<band.upperBound * 2
        MaxPoolingTask(
            kernelSize: 3, stride: 2, padding: 1, topPadding: band.lowerBound == 0 ? 1 : 0,
            input: rows(read, of: image.activation), output: rows(band, of: output.activation)
        ).assertContract()
    }

    /// The rows below a band replace its border.
    @Test(arguments: [0..<3, 2..<3, 4..<9])
    func acceptsConvolutionOfABand(_ band: Range<Int>) {
        let output = TestActivation(height: 10, width: 9, channels: 4, border: 0)
        let weights = TestMemory([Float](repeating: 0, count: 4 * 4 * 9))
        let bias = TestMemory([Float](repeating: 0, count: 4))
        let shape = ConvolutionShape(
            inputChannels: 4, outputChannels: 4, kernelSize: 3, stride: 1, padding: 1, inputHeight: band.count,
            inputWidth: 9)
        ConvolutionTask(
            shape: shape, imageCount: 1, input: rows(band, of: image.activation), packedWeights: weights.start,
            bias: bias.start, residual: rows(band, of: output.activation), relu: true,
            output: rows(band, of: output.activation)
        ).assertContract()
    }

    // A release build asserts nothing.
    #if DEBUG
        @Test func refusesABorderNarrowerThanThePadding() async {
            await #expect(processExitsWith: .failure) {
                let image = TestActivation(height: 3, width: 3, channels: 1, border: 0)
                let numbers = TestMemory([Float](repeating: 0, count: 9))
                let shape = ConvolutionShape(
                    inputChannels: 1, outputChannels: 1, kernelSize: 3, stride: 1, padding: 1, inputHeight: 3,
                    inputWidth: 3)
                ConvolutionTask(
                    shape: shape, imageCount: 1, input: image.activation, packedWeights: numbers.start,
                    bias: numbers.start, residual: nil, relu: false, output: image.activation
                ).assertContract()
            }
        }

        /// Such a reflection would read beyond the image.
        @Test func refusesABlurWithPaddingOfTheImagesSize() async {
            await #expect(processExitsWith: .failure) {
                let image = TestActivation(height: 3, width: 1, channels: 1, border: 1)
                let output = TestActivation(height: 2, width: 1, channels: 1, border: 1)
                BlurTask(size: 3, stride: 2, padding: 1, input: image.activation, output: output.activation)
                    .assertContract()
            }
        }
    #endif
}
