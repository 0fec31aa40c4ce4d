// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct MaxPoolingTests {
    struct Case {
        let kernelSize: Int
        let stride: Int
        let padding: Int
        let height: Int
        let width: Int
        let channels: Int
    }

    static let sweep: [Case] = [(3, 2, 1), (2, 2, 0), (3, 1, 1), (1, 1, 0), (5, 3, 2)].flatMap { window in
        [(1, 1), (2, 1), (5, 5), (6, 9), (13, 8)].flatMap { size in
            [1, 3, 7, 8, 9, 16, 23].compactMap { channels in
                guard min(size.0, size.1) + 2 * window.2 >= window.0 else { return nil }
                return Case(
                    kernelSize: window.0, stride: window.1, padding: window.2, height: size.0, width: size.1,
                    channels: channels)
            }
        }
    }

    @Test(arguments: sweep)
    func agreesWithTheDefinition(_ testCase: Case) throws {
        var generator = SeededGenerator(seed: UInt64(testCase.channels))
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        // All negative, so that a zero of the border would show; a few NaNs and infinities.
        var pixels = generator.floats(height * width * channels, in: -2 ... -1)
        for index in stride(from: 3, to: pixels.count, by: 17) { pixels[index] = .nan }
        for index in stride(from: 5, to: pixels.count, by: 19) { pixels[index] = -.infinity }
        let expected = definition(testCase, pixels)
        let input = TestActivation(pixels: pixels, height: height, width: width, channels: channels, border: 1)
        for kernel in KernelTable.all.map(\.maxPooling) {
            for order in BlockOrder.all(for: kernel.name) {
                let output = TestActivation(
                    height: (height + 2 * testCase.padding - testCase.kernelSize) / testCase.stride + 1,
                    width: (width + 2 * testCase.padding - testCase.kernelSize) / testCase.stride + 1,
                    channels: channels, border: 2)
                let task = MaxPoolingTask(
                    kernelSize: testCase.kernelSize, stride: testCase.stride, padding: testCase.padding,
                    input: input.activation, output: output.activation)
                try compute(kernel, task, order: order)
                let actual = output.pixels
                #expect(output.surroundingsAreUntouched)
                #expect(actual.count == expected.count)
                for index in actual.indices where !(actual[index].isNaN && expected[index].isNaN) {
                    #expect(actual[index] == expected[index], "\(kernel.name), \(testCase), element \(index)")
                }
            }
        }
    }

    /// In the order height, width, channel.
    private func definition(_ testCase: Case, _ pixels: [Float]) -> [Float] {
        let (height, width, channels) = (testCase.height, testCase.width, testCase.channels)
        var all: [Float] = []
        for row in 0...(height + 2 * testCase.padding - testCase.kernelSize) / testCase.stride {
            for column in 0...(width + 2 * testCase.padding - testCase.kernelSize) / testCase.stride {
                for channel in 0..<channels {
                    var window: [Float] = []
                    for ky in 0..<testCase.kernelSize {
                        for kx in 0..<testCase.kernelSize {
                            let y = row * testCase.stride - testCase.padding + ky
                            let x = column * testCase.stride - testCase.padding + kx
                            if (0..<height).contains(y) && (0..<width).contains(x) {
                                window.append(pixels[(y * width + x) * channels + channel])
                            }
                        }
                    }
                    all.append(window.contains(where: \.isNaN) ? .nan : window.reduce(-.infinity, max))
                }
            }
        }
        return all
    }

    @Test func isCutIntoBlocksAtTheSizesOfPhotographs() throws {
        let (height, width, channels) = (61, 67, 64)
        var generator = SeededGenerator(seed: 11)
        let input = TestActivation(
            pixels: generator.floats(height * width * channels), height: height, width: width, channels: channels,
            border: 0)
        var results: [[Float]] = []
        let runs = KernelTable.all.map(\.maxPooling).flatMap { kernel in
            BlockOrder.all(for: kernel.name).map { (kernel, $0) }
        }
        for (kernel, order) in runs {
            let output = TestActivation(height: 31, width: 34, channels: channels, border: 1)
            let task = MaxPoolingTask(
                kernelSize: 3, stride: 2, padding: 1, input: input.activation, output: output.activation)
            #expect(kernel.blockCount(task, 0) > 4)
            try compute(kernel, task, order: order)
            #expect(output.surroundingsAreUntouched)
            results.append(output.pixels)
            expectSameBits(output.pixels, results[0], "\(kernel.name), \(order), seed 11")
        }
    }
}
