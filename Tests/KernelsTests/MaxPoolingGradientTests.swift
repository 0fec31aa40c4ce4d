// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct MaxPoolingGradientTests {
    struct Case {
        let kernelSize: Int
        let stride: Int
        let padding: Int
        let height: Int
        let width: Int
        let channels: Int

        func outputSize(_ inputSize: Int) -> Int { (inputSize + 2 * padding - kernelSize) / stride + 1 }
    }

    static let kernels = [ReferenceMaxPoolingGradient.kernel, PortableMaxPoolingGradient.kernel]

    static let sweep: [Case] = [(3, 2, 1), (2, 2, 0), (3, 1, 1), (1, 1, 0), (5, 3, 2), (2, 3, 1)].flatMap {
        kernelSize, stride, padding in
        [(1, 1), (2, 1), (5, 5), (6, 9), (13, 8)].flatMap { height, width in
            [1, 3, 8, 9, 16, 23].compactMap { channels in
                guard min(height, width) + 2 * padding >= kernelSize else { return nil }
                return Case(
                    kernelSize: kernelSize, stride: stride, padding: padding, height: height, width: width,
                    channels: channels)
            }
        }
    }

    /// Which pixel of a window's values, in row-major order, has the gradient.
    private func winner(_ window: [Float]) -> Int {
        if let last = window.lastIndex(where: \.isNaN) { return last }
        let maximum = window.reduce(-.infinity, max)
        return window.prefix { $0 != maximum }.count
    }

    /// In the order height, width, channel.
    private func definition(_ testCase: Case, _ image: TestImage, _ gradient: TestImage) -> [Expected] {
        var all = [Expected](repeating: Expected(value: 0, magnitude: 0), count: image.pixels.count)
        for row in 0..<gradient.height {
            for column in 0..<gradient.width {
                for channel in 0..<image.channels {
                    var window: [Int] = []
                    for ky in 0..<testCase.kernelSize {
                        for kx in 0..<testCase.kernelSize {
                            let y = row * testCase.stride - testCase.padding + ky
                            let x = column * testCase.stride - testCase.padding + kx
                            guard 0..<image.height ~= y && 0..<image.width ~= x else { continue }
                            window.append((y * image.width + x) * image.channels + channel)
                        }
                    }
                    let index = window[winner(window.map { image.pixels[$0] })]
                    all[index].value += gradient.value(row, column, channel)
                    all[index].magnitude += abs(gradient.value(row, column, channel))
                }
            }
        }
        return all
    }

    private func check(
        _ testCase: Case, _ image: TestImage, hasSpecialGradients: Bool, minimumBlocks: Int = 1
    ) throws {
        let gradient = TestImage(
            height: testCase.outputSize(image.height), width: testCase.outputSize(image.width),
            channels: image.channels, seed: 5, hasSpecialValues: hasSpecialGradients)
        let input = image.activationInCanaries
        let output = TestActivation(
            height: gradient.height, width: gradient.width, channels: image.channels, border: 0)
        let windows = (testCase.kernelSize + testCase.stride - 1) / testCase.stride
        try expectGradient(
            Self.kernels, gradient, image.size, definition(testCase, image, gradient), terms: windows * windows,
            minimumBlocks: minimumBlocks, "\(testCase)"
        ) {
            MaxPoolingGradientTask(
                pooling: MaxPoolingTask(
                    kernelSize: testCase.kernelSize, stride: testCase.stride, padding: testCase.padding,
                    input: input.activation, output: output.activation), outputGradient: $0, inputGradient: $1,
                accumulates: $2)
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        var image = TestImage(
            height: testCase.height, width: testCase.width, channels: testCase.channels,
            seed: UInt64(testCase.channels))
        // All negative, so that a zero of the border would win, and few different values, so that many are equal.
        for index in image.pixels.indices { image.pixels[index] = (image.pixels[index] / 2).rounded() - 4 }
        try check(testCase, image, hasSpecialGradients: testCase.height == 13)

        // Whole windows of minus infinity, and several NaNs in a window.
        for index in image.pixels.indices {
            switch (index / image.channels % 7, index % 5) {
            case (0..<3, 0): image.pixels[index] = .nan
            case (2, 1): image.pixels[index] = .infinity
            case (_, 2): image.pixels[index] = -.infinity
            default: break
            }
        }
        try check(testCase, image, hasSpecialGradients: false)
    }

    @Test func givesTheFirstPixelTheGradientOfMinusInfinities() throws {
        for kernelSize in [2, 3] {
            let testCase = Case(
                kernelSize: kernelSize, stride: 2, padding: kernelSize / 2, height: 6, width: 5, channels: 9)
            var image = TestImage(height: 6, width: 5, channels: 9, seed: 1)
            for index in image.pixels.indices { image.pixels[index] = -.infinity }
            try check(testCase, image, hasSpecialGradients: false)
        }
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        let testCase = Case(kernelSize: 3, stride: 2, padding: 1, height: 61, width: 67, channels: 64)
        try check(
            testCase, TestImage(height: 61, width: 67, channels: 64, seed: 11), hasSpecialGradients: false,
            minimumBlocks: 5)
    }
}
