// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The gradients of functions of one value in Double, rounded once.
enum ReferenceFunctionGradient {
    static var kernel: Kernel<FunctionGradientTask> {
        Kernel(
            name: "functionGradientF32_reference", blockCount: { _, _ in 1 }, runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: FunctionGradientTask) {
        for row in 0..<task.value.height {
            for column in 0..<task.value.width {
                let value = task.value.pixel(row: row, column: column)
                let outputGradient = task.outputGradient.pixel(row: row, column: column)
                let out = task.inputGradient.pixel(row: row, column: column)
                for channel in 0..<task.value.channels {
                    let gradient = compute(task.function, Double(value[channel]), Double(outputGradient[channel]))
                    writeGradient(gradient, to: out + channel, accumulates: task.accumulates)
                }
            }
        }
    }

    private static func compute(_ function: ElementwiseFunction, _ value: Double, _ gradient: Double) -> Double {
        switch function {
        case .none: return gradient
        case .relu: return value <= 0 ? 0 : gradient
        case .sigmoid: return gradient * (1 - value) * value
        case .silu:
            let sigmoid = 1 / (1 + exp(-value))
            return gradient * sigmoid * (1 + value * (1 - sigmoid))
        }
    }
}
