// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

/// The pixels of one image in the order height, width, channel.
struct TestImage {
    let height: Int
    let width: Int
    let channels: Int
    var pixels: [Float]

    /// Random values, with a NaN and both infinities among them if `hasSpecialValues`.
    init(height: Int, width: Int, channels: Int, seed: UInt64, hasSpecialValues: Bool = false) {
        self.height = height
        self.width = width
        self.channels = channels
        var generator = SeededGenerator(seed: seed)
        pixels = generator.floats(height * width * channels, in: -3...3)
        guard hasSpecialValues else { return }
        for index in stride(from: 3, to: pixels.count, by: 37) { pixels[index] = .nan }
        for index in stride(from: 5, to: pixels.count, by: 41) { pixels[index] = .infinity }
        for index in stride(from: 2, to: pixels.count, by: 43) { pixels[index] = -.infinity }
    }

    func value(_ row: Int, _ column: Int, _ channel: Int) -> Double {
        Double(pixels[(row * width + column) * channels + channel])
    }

    func activation(border: Int) -> TestActivation {
        TestActivation(pixels: pixels, height: height, width: width, channels: channels, border: border)
    }
}

/// What an image of a size should be, value by value.
func expectedValues(
    _ size: (height: Int, width: Int, channels: Int), _ value: (_ row: Int, _ column: Int, _ channel: Int) -> Expected
) -> [Expected] {
    (0..<size.height).flatMap { row in
        (0..<size.width).flatMap { column in (0..<size.channels).map { value(row, column, $0) } }
    }
}

/// Computes a task with all kernels of its kind, in every order of blocks and by several numbers of threads. Expects each
/// result close to the expected one, the same bits in every order, and nothing written beside the pixels.
func expectAgreement<Task>(
    _ kernels: [Kernel<Task>], _ size: (height: Int, width: Int, channels: Int), _ expected: [Expected], terms: Int,
    minimumBlocks: Int = 1, _ what: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation,
    task: (_ output: Activation) -> Task
) throws {
    for kernel in kernels {
        var first: [Float]?
        for order in BlockOrder.all(for: kernel.name) {
            let output = TestActivation(height: size.height, width: size.width, channels: size.channels, border: 2)
            let task = task(output.activation)
            let lastPhase = kernel.needs(task).phaseCount - 1
            #expect(kernel.blockCount(task, lastPhase) >= minimumBlocks, sourceLocation: sourceLocation)
            try compute(kernel, task, order: order, sourceLocation: sourceLocation)
            let pixels = output.pixels
            #expect(output.surroundingsAreUntouched, sourceLocation: sourceLocation)
            expectClose(
                pixels, expected, terms: terms, "\(kernel.name), \(what()), \(order)", sourceLocation: sourceLocation)
            expectSameBits(
                pixels, first ?? pixels, "\(kernel.name), \(what()), \(order)", sourceLocation: sourceLocation)
            first = pixels
        }
    }
}
