// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of functions of one value in Float, eight values at a time.
enum PortableFunctionGradient {
    static var kernel: Kernel<FunctionGradientTask> {
        Kernel(
            name: "functionGradientF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// Cost of an exponential, in moves of a float.
    private static let exponentialCost = 8

    private static func blockCount(_ task: FunctionGradientTask) -> Int {
        let cost = task.function == .silu ? exponentialCost : 1
        return rowBlockCount(height: task.value.height, rowFloats: task.value.rowFloats * cost)
    }

    /// A block is a range of rows.
    private static func run(_ task: FunctionGradientTask, block: Int) {
        for row in blockRange(block, of: blockCount(task), count: task.value.height) {
            switch task.function {
            case .none: compute(task, row: row) { _, gradient in gradient }
            case .relu:
                // Not a comparison for greater: a NaN passes the gradient.
                compute(task, row: row) { value, gradient in gradient.replacing(with: 0, where: value .<= 0) }
            case .sigmoid: compute(task, row: row) { value, gradient in gradient * (1 - value) * value }
            case .silu:
                compute(task, row: row) { value, gradient in
                    let sigmoid = 1 / (1 + exponential(-value))
                    return gradient * sigmoid * (1 + value * (1 - sigmoid))
                }
            }
        }
    }

    @inline(__always)
    private static func compute(
        _ task: FunctionGradientTask, row: Int,
        _ function: (_ value: SIMD8<Float>, _ gradient: SIMD8<Float>) -> SIMD8<Float>
    ) {
        let value = UnsafePointer(task.value.pixel(row: row, column: 0))
        let gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: 0))
        let out = task.inputGradient.pixel(row: row, column: 0)
        forEachOctet(task.value.rowFloats) { index, lanes in
            (out + index).write(
                function((value + index).octet(lanes), (gradient + index).octet(lanes)), lanes,
                accumulates: task.accumulates)
        }
    }
}
