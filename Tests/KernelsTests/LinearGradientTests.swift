// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct LinearGradientTests {
    /// Which gradients are wanted.
    struct Wanted {
        var input = true
        var weights = true
        var bias = true
        var accumulates = false
    }

    static let kernels = [ReferenceLinearGradient.kernel, PortableLinearGradient.kernel]

    /// Rows of numbers with canaries between them.
    private func rows(_ count: Int, _ length: Int, _ value: (_ row: Int, _ index: Int) -> Float) -> TestMemory<Float> {
        TestMemory((0..<count).flatMap { row in (0..<length).map { value(row, $0) } + [canary, canary, canary] })
    }

    /// Expects rows as `rows` makes them to be untouched between their numbers, and gives these.
    private func numbers(_ memory: TestMemory<Float>, _ length: Int, _ what: String) -> [Float] {
        let all = memory.elements.enumerated()
        #expect(
            all.allSatisfy { $0.offset % (length + 3) < length || isCanary($0.element) }, "\(what): wrote beside rows")
        return all.filter { $0.offset % (length + 3) < length }.map(\.element)
    }

    /// One layer, and what is already in its gradients.
    private struct Layer {
        let images: Int
        let inputs: Int
        let outputs: Int
        let input: [Float]
        let weights: [Float]
        let gradient: [Float]
        let oldInput: [Float]
        let oldWeights: [Float]
        let oldBias: [Float]

        init(images: Int, inputs: Int, outputs: Int) {
            var generator = SeededGenerator(seed: UInt64(inputs * 1000 + outputs))
            (self.images, self.inputs, self.outputs) = (images, inputs, outputs)
            input = generator.floats(images * inputs)
            weights = generator.floats(outputs * inputs)
            gradient = generator.floats(images * outputs)
            oldInput = generator.floats(images * inputs)
            oldWeights = generator.floats(outputs * inputs)
            oldBias = generator.floats(outputs)
        }

        func expectedInput(accumulates: Bool) -> [Expected] {
            (0..<images * inputs).map { index in
                let (image, input) = index.quotientAndRemainder(dividingBy: inputs)
                return sum(accumulates ? oldInput[index] : 0, 0..<outputs) {
                    Double(weights[$0 * inputs + input]) * Double(gradient[image * outputs + $0])
                }
            }
        }

        var expectedWeights: [Expected] {
            (0..<outputs * inputs).map { index in
                let (output, input) = index.quotientAndRemainder(dividingBy: inputs)
                return sum(oldWeights[index], 0..<images) {
                    Double(gradient[$0 * outputs + output]) * Double(self.input[$0 * inputs + input])
                }
            }
        }

        var expectedBias: [Expected] {
            (0..<outputs).map { output in
                sum(oldBias[output], 0..<images) { Double(gradient[$0 * outputs + output]) }
            }
        }

        private func sum(_ old: Float, _ range: Range<Int>, _ term: (Int) -> Double) -> Expected {
            range.reduce(into: Expected(value: Double(old), magnitude: Double(abs(old)))) {
                $0.value += term($1)
                $0.magnitude += abs(term($1))
            }
        }
    }

    private func check(_ layer: Layer, _ wanted: Wanted, minimumBlocks: Int = 1) throws {
        let (images, inputs, outputs) = (layer.images, layer.inputs, layer.outputs)
        let input = rows(images, inputs) { layer.input[$0 * inputs + $1] }
        let gradient = rows(images, outputs) { layer.gradient[$0 * outputs + $1] }
        let weights = TestMemory(layer.weights)
        let unused = TestMemory([Float](repeating: canary, count: outputs))
        for kernel in Self.kernels {
            var first: [[Float]] = []
            for order in BlockOrder.all(for: kernel.name) {
                let inputGradient = rows(images, inputs) {
                    wanted.accumulates ? layer.oldInput[$0 * inputs + $1] : canary
                }
                let weightGradient = TestMemory(layer.oldWeights + [canary])
                let biasGradient = TestMemory(layer.oldBias + [canary])
                let task = LinearGradientTask(
                    linear: LinearTask(
                        inputCount: inputs, outputCount: outputs, input: input.start, weights: weights.start, bias: nil,
                        output: unused.start), imageCount: images, inputStride: inputs + 3,
                    outputGradient: gradient.start, outputGradientStride: outputs + 3,
                    inputGradient: wanted.input ? inputGradient.start : nil, inputGradientStride: inputs + 3,
                    accumulates: wanted.accumulates, weightGradient: wanted.weights ? weightGradient.start : nil,
                    biasGradient: wanted.bias ? biasGradient.start : nil)
                let what = "\(kernel.name), \(images) images, \(inputs) to \(outputs), \(wanted), \(order)"
                if !"\(kernel.name)".hasSuffix("reference") { #expect(kernel.blockCount(task, 0) >= minimumBlocks) }
                try withExtendedLifetime((input, gradient, weights, unused)) {
                    try compute(kernel, task, order: order)
                }

                let results = [
                    numbers(inputGradient, inputs, what), weightGradient.elements.dropLast(),
                    biasGradient.elements.dropLast(),
                ]
                #expect(isCanary(weightGradient.start[outputs * inputs]), "\(what)")
                #expect(isCanary(biasGradient.start[outputs]), "\(what)")
                if wanted.input {
                    expectClose(
                        results[0], layer.expectedInput(accumulates: wanted.accumulates), terms: outputs + 2,
                        "\(what), input")
                } else {
                    #expect(wanted.accumulates || results[0].allSatisfy(isCanary), "\(what)")
                }
                if wanted.weights {
                    expectClose(results[1], layer.expectedWeights, terms: images + 2, "\(what), weights")
                } else {
                    expectSameBits(results[1], layer.oldWeights, "\(what), weights")
                }
                if wanted.bias {
                    expectClose(results[2], layer.expectedBias, terms: images + 1, "\(what), bias")
                } else {
                    expectSameBits(results[2], layer.oldBias, "\(what), bias")
                }
                for (result, first) in zip(results, first) { expectSameBits(result, first, what) }
                first = results
            }
        }
    }

    @Test(arguments: [1, 2, 7, 8, 9, 33, 300, 513], [1, 2, 5, 64])
    func agreesWithTheDefinition(inputs: Int, outputs: Int) throws {
        for images in [1, 3] {
            for accumulates in [false, true] {
                try check(
                    Layer(images: images, inputs: inputs, outputs: outputs), Wanted(accumulates: accumulates))
            }
        }
    }

    @Test func computesWhatIsWantedAlone() throws {
        let layer = Layer(images: 2, inputs: 19, outputs: 6)
        for input in [false, true] {
            for weights in [false, true] {
                for bias in [false, true] { try check(layer, Wanted(input: input, weights: weights, bias: bias)) }
            }
        }
    }

    @Test func isCutIntoBlocks() throws {
        try check(Layer(images: 2, inputs: 1100, outputs: 300), Wanted(), minimumBlocks: 10)
    }

    /// The bits of an image's input gradient are the same in every batch.
    @Test func doesNotDependOnTheBatch() throws {
        let layer = Layer(images: 3, inputs: 70, outputs: 40)
        let weights = TestMemory(layer.weights)
        let values = TestMemory(layer.input)
        let gradient = TestMemory(layer.gradient)
        func compute(_ images: Range<Int>) throws -> [Float] {
            let result = TestMemory([Float](repeating: canary, count: images.count * 70))
            let unused = TestMemory([Float](repeating: canary, count: 40))
            let task = LinearGradientTask(
                linear: LinearTask(
                    inputCount: 70, outputCount: 40, input: values.start, weights: weights.start, bias: nil,
                    output: unused.start), imageCount: images.count, inputStride: 70,
                outputGradient: gradient.start + images.lowerBound * 40, outputGradientStride: 40,
                inputGradient: result.start, inputGradientStride: 70, accumulates: false, weightGradient: nil,
                biasGradient: nil)
            try KernelsTests.compute(PortableLinearGradient.kernel, task)
            return withExtendedLifetime((result, unused)) { result.elements }
        }
        let alone = try (0..<3).flatMap { try compute($0..<($0 + 1)) }
        expectSameBits(try compute(0..<3), alone, "images of a batch")
    }
}
