// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

/// A caller's memory for one image: canaries, with the image in some strides among them.
struct StridedLayout: CustomTestStringConvertible {
    let name: String
    let strides: @Sendable (_ channels: Int, _ height: Int, _ width: Int) -> (channel: Int, row: Int, column: Int)

    var testDescription: String { name }

    static let all: [StridedLayout] = [
        StridedLayout(name: "NCHW") { _, height, width in (height * width, width, 1) },
        StridedLayout(name: "NHWC") { channels, _, width in (1, width * channels, channels) },
        StridedLayout(name: "a region of a larger NCHW image") { _, height, width in
            ((height + 3) * (width + 5), width + 5, 1)
        },
        StridedLayout(name: "a region of a larger NHWC image") { channels, _, width in
            (1, (width + 5) * channels, channels)
        },
        StridedLayout(name: "NHWC with a fourth channel") { channels, _, width in
            (1, width * (channels + 1), channels + 1)
        },
        StridedLayout(name: "NCWH") { _, height, width in (height * width, 1, height) },
        StridedLayout(name: "upside down") { _, height, width in (height * width, -width, 1) },
        StridedLayout(name: "all reversed") { channels, _, width in (-1, -width * channels, -channels) },
    ]

    /// Channels, heights and widths around the tiles of a transposition; one that is cut into blocks, where that differs.
    var sizes: [(Int, Int, Int)] {
        let small = [
            (1, 1, 1), (3, 5, 7), (3, 2, 65), (5, 1, 19), (17, 3, 16), (64, 1, 15), (67, 2, 33), (24, 1, 5), (8, 7, 7),
        ]
        return name == "NCHW" || name == "NHWC" ? small + [(16, 65, 37), (520, 5, 13)] : small
    }

    /// How many elements the image spans, and where its element (0, 0, 0) is among them.
    func extent(_ channels: Int, _ height: Int, _ width: Int) -> (count: Int, origin: Int) {
        let strides = strides(channels, height, width)
        let ends = [
            (channels - 1) * strides.channel, (height - 1) * strides.row, (width - 1) * strides.column,
        ]
        let lowest = ends.filter { $0 < 0 }.reduce(0, +)
        return (ends.filter { $0 > 0 }.reduce(0, +) - lowest + 1, -lowest)
    }
}

@Suite struct ConversionTests {
    @Test(arguments: StridedLayout.all)
    func readsFloatsAsTheyAre(_ layout: StridedLayout) throws {
        for (channels, height, width) in layout.sizes {
            let (channel, row, column) = layout.strides(channels, height, width)
            let (count, origin) = layout.extent(channels, height, width)
            var generator = SeededGenerator(seed: 5)
            let source = generator.floats(count)
            let expected = elements(channels, height, width).map { c, y, x in
                source[origin + c * channel + y * row + x * column]
            }
            for kernel in KernelTable.all.map(\.inputConversion) {
                let output = TestActivation(height: height, width: width, channels: channels, border: 3)
                try source.withUnsafeBytes { bytes in
                    let task = InputConversionTask(
                        source: try #require(bytes.baseAddress) + origin * 4, element: .float32,
                        channelStride: channel, rowStride: row, columnStride: column, mean: nil,
                        standardDeviation: nil, reversesChannels: false, output: output.activation)
                    try compute(kernel, task)
                }
                expectSameBits(output.pixels, expected, "\(kernel.name), \(channels)x\(height)x\(width)")
                #expect(output.surroundingsAreUntouched)
            }
        }
    }

    /// Floats that hold the same values have the same bits. Each of the values may be left out.
    @Test(arguments: StridedLayout.all, [false, true])
    func normalizesBytesAndFloats(_ layout: StridedLayout, reverses: Bool) throws {
        for (channels, height, width) in layout.sizes {
            let (channel, row, column) = layout.strides(channels, height, width)
            let (count, origin) = layout.extent(channels, height, width)
            var generator = SeededGenerator(seed: 6)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let floats = bytes.map(Float.init)
            let mean = generator.floats(channels, in: 100...130)
            let deviation = generator.floats(channels, in: 50...60)
            for (hasMean, hasDeviation) in [(true, true), (true, false), (false, true), (false, false)] {
                let expected = elements(channels, height, width).map { c, y, x in
                    let from = reverses ? channels - 1 - c : c
                    let value = floats[origin + from * channel + y * row + x * column]
                    let difference = hasMean ? value - mean[c] : value
                    return hasDeviation ? difference / deviation[c] : difference
                }
                for kernel in KernelTable.all.map(\.inputConversion) {
                    for element in [InputElement.uint8, .float32] {
                        let output = TestActivation(height: height, width: width, channels: channels, border: 3)
                        try withPointers(bytes, floats, mean, deviation) { bytes, floats, mean, deviation in
                            let isFloat = element == .float32
                            let source = isFloat ? UnsafeRawPointer(floats + origin) : UnsafeRawPointer(bytes + origin)
                            let task = InputConversionTask(
                                source: source, element: element, channelStride: channel, rowStride: row,
                                columnStride: column, mean: hasMean ? mean : nil,
                                standardDeviation: hasDeviation ? deviation : nil, reversesChannels: reverses,
                                output: output.activation)
                            try compute(kernel, task)
                        }
                        expectSameBits(
                            output.pixels, expected, "\(kernel.name), \(element), \(channels)x\(height)x\(width)")
                        #expect(output.surroundingsAreUntouched)
                    }
                }
            }
        }
    }

    @Test(arguments: StridedLayout.all, [0, 1])
    func writesIntoTheCallersStrides(_ layout: StridedLayout, border: Int) throws {
        for (channels, height, width) in layout.sizes {
            let (channel, row, column) = layout.strides(channels, height, width)
            let (count, origin) = layout.extent(channels, height, width)
            var generator = SeededGenerator(seed: 8)
            let pixels = generator.floats(channels * height * width)
            let input = TestActivation(pixels: pixels, height: height, width: width, channels: channels, border: border)
            var expected = [Float](repeating: canary, count: count)
            for (index, (c, y, x)) in elements(channels, height, width).enumerated() {
                expected[origin + c * channel + y * row + x * column] = pixels[index]
            }
            for kernel in KernelTable.all.map(\.outputConversion) {
                for order in BlockOrder.all(for: kernel.name) {
                    var actual = [Float](repeating: canary, count: count)
                    try actual.withUnsafeMutableBufferPointer { actual in
                        let task = OutputConversionTask(
                            input: input.activation, destination: try #require(actual.baseAddress) + origin,
                            channelStride: channel, rowStride: row, columnStride: column)
                        try compute(kernel, task, order: order)
                    }
                    expectSameBits(actual, expected, "\(kernel.name), \(channels)x\(height)x\(width), \(order)")
                }
            }
        }
    }

    private func withPointers(
        _ a: [UInt8], _ b: [Float], _ c: [Float], _ d: [Float],
        _ body: (UnsafePointer<UInt8>, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) throws -> Void
    ) throws { try body(a, b, c, d) }

    /// Channel, row and column of each element of an activation in the order of its memory.
    private func elements(_ channels: Int, _ height: Int, _ width: Int) -> [(Int, Int, Int)] {
        (0..<height).flatMap { y in (0..<width).flatMap { x in (0..<channels).map { c in (c, y, x) } } }
    }
}

@Suite struct BorderZeroingTests {
    @Test(arguments: [0, 1, 3], [(1, 1, 1), (2, 5, 3), (7, 4, 16)])
    func zeroesTheBorderAlone(border: Int, size: (Int, Int, Int)) throws {
        let (height, width, channels) = size
        let image = TestActivation(height: height, width: width, channels: channels, border: border)
        try compute(KernelTable.portable.borderZeroing, BorderZeroingTask(activation: image.activation))
        for row in -border..<height + border {
            for column in -border..<width + border {
                let isInside = (0..<height).contains(row) && (0..<width).contains(column)
                for channel in 0..<channels {
                    let value = image.activation.pixel(row: row, column: column)[channel]
                    #expect(isInside ? isCanary(value) : value == 0, "row \(row), column \(column)")
                }
            }
        }
        let block = image.activation.pixel(row: -border, column: -border)
        #expect(isCanary(block[-1]))
        #expect(isCanary(block[(height + 2 * border) * (width + 2 * border) * channels]))
    }
}
