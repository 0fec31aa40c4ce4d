// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

@Suite struct LinearTests {
    @Test(arguments: [1, 3, 8, 31, 32, 33, 64, 100, 1000, 1024], [1, 2, 7, 150])
    func agreesWithTheDefinition(inputCount: Int, outputCount: Int) throws {
        var generator = SeededGenerator(seed: UInt64(inputCount * 1000 + outputCount))
        let input = generator.floats(inputCount)
        var weights = generator.floats(outputCount * inputCount)
        // Of the second output, and of the last one.
        if outputCount > 2 {
            weights[inputCount] = .nan
            weights[outputCount * inputCount - 1] = .infinity
        }
        let bias = generator.floats(outputCount)
        let (inputs, biases) = (TestMemory(input), TestMemory(bias))
        let stored = TestMemory(weights)
        for hasBias in [true, false] {
            let expected = (0..<outputCount).map { output in
                var value = hasBias ? Double(bias[output]) : 0
                var magnitude = abs(value)
                for index in 0..<inputCount {
                    let product = Double(weights[output * inputCount + index]) * Double(input[index])
                    value += product
                    magnitude += abs(product)
                }
                return Expected(value: value, magnitude: magnitude)
            }
            // The longest chain: a 32nd of the products, the sum of all partial sums, a rest, the bias.
            try expectAgreement(
                KernelTable.all.map(\.linear), (1, 1, outputCount), expected, terms: inputCount / 32 + 17,
                minimumBlocks: outputCount * inputCount > 128 * 1024 ? 4 : 1, "\(inputCount) to \(outputCount)"
            ) {
                LinearTask(
                    inputCount: inputCount, outputCount: outputCount, input: inputs.start, weights: stored.start,
                    bias: hasBias ? UnsafePointer(biases.start) : nil, output: $0.origin)
            }
        }
    }
}
