// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels

/// The steps of optimisers: every kernel has the bits of the reference, which computes with the C library's `fmaf`.
@Suite struct OptimizerStepTests {
    /// Fewer than a vector, no whole number of vectors, and more than a block.
    static let counts = [1, 7, 8, 17, 1003, 16 * 1024, 2 * 16 * 1024 + 21]

    /// Values of all magnitudes, down to subnormal ones.
    private static func values(_ count: Int, seed: UInt64, isSpecial: Bool = false) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        var values = (0..<count).map { _ in
            let exponent = Int.random(in: -20...3, using: &generator)
            return Float.random(in: -1...1, using: &generator) * Float(sign: .plus, exponent: exponent, significand: 1)
        }
        guard isSpecial else { return values }
        let special: [Float] = [
            .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude,
            .greatestFiniteMagnitude,
        ]
        for index in stride(from: 0, to: count, by: 5) {
            values[index] = special[Int.random(in: 0..<8, using: &generator)]
        }
        return values
    }

    static let rules: [SGDStepTask.Rule] =
        [(0.0, 0.0, 0.0, false), (1e-4, 0, 0, false), (0, 0.9, 0, false)].map(rule)
        + [(1e-4, 0.9, 0.1, false), (1e-4, 0.9, 0, true)].map(rule)

    private static func rule(_ decay: Double, _ momentum: Double, _ dampening: Double, _ isNesterov: Bool)
        -> SGDStepTask.Rule
    {
        SGDStepTask.Rule(
            learningRate: 0.1, weightDecay: decay, momentum: momentum, dampening: dampening, isNesterov: isNesterov)
    }

    /// Runs three steps of each kernel in each order of blocks, and compares all memory with the reference's.
    private func check<Task>(
        _ kernels: [Kernel<Task>], memories: Int, _ count: Int, _ what: String, isSpecial: Bool,
        task: (_ memory: [UnsafeMutablePointer<Float>], _ step: Int) -> Task
    ) throws {
        var expected: [[Float]]?
        for kernel in kernels {
            for order in BlockOrder.all(for: kernel.name) {
                let memory = (0..<memories).map { memory in
                    TestMemory(
                        (memory < 2
                            ? Self.values(count, seed: UInt64(memory), isSpecial: isSpecial)
                            : Array(repeating: 0, count: count))
                            + [canary])
                }
                for step in 0..<3 { try compute(kernel, task(memory.map(\.start), step), order: order) }
                let actual = memory.map(\.elements)
                for (index, values) in actual.enumerated() {
                    let wanted = (expected ?? actual)[index]
                    expectSameBits(
                        values.map(Self.withoutPayload), wanted.map(Self.withoutPayload),
                        "\(kernel.name), \(what), \(count) values, memory \(index), \(order)")
                    #expect(isCanary(values[count]))
                }
                expected = expected ?? actual
            }
        }
    }

    /// Which of several NaNs a sum keeps is not a part of the definition; the canary stays itself.
    private static func withoutPayload(_ value: Float) -> Float { value.isNaN && !isCanary(value) ? .nan : value }

    @Test(arguments: counts, rules.indices) func allKernelsOfSGDGiveTheSameBits(count: Int, rule: Int) throws {
        for isSpecial in [false, true] {
            try check(
                KernelTable.all.map(\.optimizers.sgdStep), memories: 3, count, "\(Self.rules[rule])",
                isSpecial: isSpecial
            ) { memory, step in
                SGDStepTask(
                    parameters: memory[0], gradients: memory[1], momentumBuffer: memory[2], count: count,
                    Self.rules[rule], begins: step == 0)
            }
        }
    }

    @Test(arguments: counts) func allKernelsOfAdamWGiveTheSameBits(count: Int) throws {
        for (decay, beta1) in [(0.0, 0.9), (0.01, 0.9), (0.01, 0.3)] {
            for isSpecial in [false, true] {
                let rule = AdamWStepTask.Rule(
                    learningRate: 1e-3, weightDecay: decay, beta1: beta1, beta2: 0.999, epsilon: 1e-8)
                try check(
                    KernelTable.all.map(\.optimizers.adamWStep), memories: 4, count, "\(rule)", isSpecial: isSpecial
                ) { memory, step in
                    AdamWStepTask(
                        parameters: memory[0], gradients: memory[1], averages: memory[2], squares: memory[3],
                        count: count, rule, number: Double(step + 1))
                }
            }
        }
    }

    /// Against the C library's function: any values, and products in the middle of two Floats with a tiny addend that
    /// decides which of them is right, where a sum in Double that is then rounded is wrong.
    @Test func fusedProductsAreRoundedOnce() {
        var generator = SeededGenerator(seed: 12)
        var failures = 0
        var roundedTwice = 0
        func check(_ addend: Float, _ factor: Float, _ vector: Float) {
            let expected = addend.addingProduct(factor, vector)
            let actual = addFused(SIMD8(repeating: addend), SIMD8(repeating: factor), SIMD8(repeating: vector))
            if actual[3].bitPattern != expected.bitPattern && !expected.isNaN { failures += 1 }
            if expected.isNaN && !actual[3].isNaN { failures += 1 }
            let twice = Float(Double(factor) * Double(vector) + Double(addend))
            if twice.bitPattern != expected.bitPattern && !expected.isNaN { roundedTwice += 1 }
        }
        for _ in 0..<50_000 {
            let bits = (0..<3).map { _ in UInt32.random(in: 0...(.max), using: &generator) }
            check(Float(bitPattern: bits[0]), Float(bitPattern: bits[1]), Float(bitPattern: bits[2]))
            let addend = Float(sign: .plus, exponent: Int.random(in: -60...60, using: &generator), significand: 1)
            let values = generator.floats(2, in: 1...2)
            check(addend, values[0], values[1])
            check(-addend, values[0], values[1])
        }
        #expect(failures == 0)
        #expect(roundedTwice < 10)
        for number in stride(from: 1, to: 4000, by: 2) {
            let addend = Float(sign: .plus, exponent: Int.random(in: -120 ... -60, using: &generator), significand: 1)
            check(addend, 1 + 0x1p-12, 1 + Float(number) * 0x1p-12)
            check(-addend, 1 + 0x1p-12, 1 + Float(number) * 0x1p-12)
        }
        #expect(failures == 0)
        #expect(roundedTwice > 1000)
    }

    @Test(arguments: counts) func sumsOfSquares(count: Int) throws {
        let values = TestMemory(Self.values(count, seed: 3))
        let blocks = parameterBlockCount(count)
        let exact = values.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
        var first: [Double]?
        for kernel in KernelTable.all.map(\.optimizers.squaredSums) {
            for order in BlockOrder.all(for: kernel.name) {
                let sums = TestMemory([Double](repeating: .nan, count: blocks))
                try compute(
                    kernel, SquaredSumsTask(values: values.start, count: count, sums: sums.start), order: order)
                #expect(sums.elements == first ?? sums.elements, "\(kernel.name), \(count) values, \(order)")
                first = sums.elements
                #expect(abs(sums.elements.reduce(0, +) - exact) <= 1e-12 * exact, "\(kernel.name)")
            }
        }
        for special: Float in [.nan, .infinity, -.infinity] {
            values.start[count - 1] = special
            for kernel in KernelTable.all.map(\.optimizers.squaredSums) {
                let sums = TestMemory([Double](repeating: 0, count: blocks))
                try compute(kernel, SquaredSumsTask(values: values.start, count: count, sums: sums.start))
                #expect(!sums.elements[blocks - 1].isFinite, "\(kernel.name)")
                let others = sums.elements.dropLast().filter { !$0.isFinite }
                #expect(others.isEmpty, "\(kernel.name)")
            }
        }
    }

    @Test func largeFiniteValuesHaveFiniteSums() throws {
        let values = TestMemory([Float](repeating: .greatestFiniteMagnitude, count: 5000))
        for kernel in KernelTable.all.map(\.optimizers.squaredSums) {
            let sums = TestMemory([0.0])
            try compute(kernel, SquaredSumsTask(values: values.start, count: 5000, sums: sums.start))
            #expect(sums.elements[0].isFinite, "\(kernel.name)")
        }
    }
}
