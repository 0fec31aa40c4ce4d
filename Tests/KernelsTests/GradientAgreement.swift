// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

typealias ImageSize = (height: Int, width: Int, channels: Int)

/// Computes an input gradient with all kernels of a kind, in every order of blocks and by several numbers of threads: into
/// memory full of canaries, added to other values, and over the output gradient where a task allows that. Expects each
/// result close to the expected one, the same bits in every order, and nothing written beside the pixels.
///
/// `check` follows each run, for what else the kernels compute; `task` is called once before it.
func expectGradient<Task>(
    _ kernels: [Kernel<Task>], _ outputGradient: TestImage, _ size: ImageSize, _ expected: [Expected], terms: Int,
    minimumBlocks: Int = 1, inPlace: Bool = false, _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation, check: (_ what: String) -> Void = { _ in },
    task: (_ outputGradient: Activation, _ inputGradient: Activation, _ accumulates: Bool) -> Task
) throws {
    var generator = SeededGenerator(seed: 77)
    let old = generator.floats(expected.count)
    let added = zip(expected, old).map {
        Expected(value: $0.value + Double($1), magnitude: $0.magnitude + Double(abs($1)))
    }
    let given = outputGradient.activationInCanaries
    for (kernel, use) in kernels.flatMap({ kernel in OutputUse.all(inPlace: inPlace).map { (kernel, $0) } }) {
        var first: [Float]?
        for order in BlockOrder.all(for: kernel.name) {
            let what = "\(kernel.name), \(what()), \(use), \(order)"
            let output = TestActivation(height: size.height, width: size.width, channels: size.channels, border: 2)
            switch use {
            case .replaced: break
            case .addedTo: output.set(old)
            case .inPlace: output.set(outputGradient.pixels)
            }
            let task = task(
                use == .inPlace ? output.activation : given.activation, output.activation, use == .addedTo)
            if !"\(kernel.name)".hasSuffix("reference") {
                let lastPhase = kernel.needs(task).phaseCount - 1
                #expect(kernel.blockCount(task, lastPhase) >= minimumBlocks, sourceLocation: sourceLocation)
            }
            try compute(kernel, task, order: order, sourceLocation: sourceLocation)
            let pixels = output.pixels
            #expect(output.surroundingsAreUntouched, "\(what)", sourceLocation: sourceLocation)
            // One more rounding: the sum with the values in memory.
            expectClose(
                pixels, use == .addedTo ? added : expected, terms: terms + 1, what, sourceLocation: sourceLocation)
            expectSameBits(pixels, first ?? pixels, what, sourceLocation: sourceLocation)
            check(what)
            first = pixels
        }
    }
}

/// What an input gradient is before it is computed.
private enum OutputUse: Equatable {
    case replaced
    case addedTo
    case inPlace

    static func all(inPlace: Bool) -> [OutputUse] { [.replaced, .addedTo] + (inPlace ? [.inPlace] : []) }
}

/// The gradient of `sum of gradient * forward(values)` by central differences in Double: no formula of a gradient is in it.
func differences(
    _ values: [Double], _ gradient: [Double], step: Double = 1e-4, _ forward: ([Double]) -> [Double]
) -> [Double] {
    func loss(_ index: Int, _ offset: Double) -> Double {
        var moved = values
        moved[index] += offset
        return zip(forward(moved), gradient).map { $0 * $1 }.reduce(0, +)
    }
    return values.indices.map { (loss($0, step) - loss($0, -step)) / (2 * step) }
}

/// Expects results of a kernel within 1e-4 of those of `differences`.
func expectClose(
    _ actual: [Float], differences: [Double], _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(actual.count == differences.count, sourceLocation: sourceLocation)
    for (index, (actual, expected)) in zip(actual, differences).enumerated() {
        #expect(
            abs(Double(actual) - expected) <= 1e-4 * max(1, abs(expected)),
            "\(what()): element \(index) is \(actual) instead of \(expected)", sourceLocation: sourceLocation)
    }
}

extension TestImage {
    /// In the order height, width, channel.
    var values: [Double] { pixels.map(Double.init) }

    var size: ImageSize { (height, width, channels) }

    /// With a border that is not part of any gradient: what was computed from it is NaN.
    var activationInCanaries: TestActivation {
        let activation = TestActivation(height: height, width: width, channels: channels, border: 1)
        activation.set(pixels)
        return activation
    }
}
