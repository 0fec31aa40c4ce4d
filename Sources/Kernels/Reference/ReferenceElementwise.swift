// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Elementwise functions in Double, rounded once.
enum ReferenceElementwise {
    static var kernel: Kernel<ElementwiseTask> {
        Kernel(
            name: "elementwiseF32_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row.
    private static func run(_ task: ElementwiseTask, row: Int) {
        for column in 0..<task.output.width {
            let pixel = task.input.pixel(row: row, column: column)
            let out = task.output.pixel(row: row, column: column)
            let residual = task.residual?.pixel(row: row, column: column)
            for channel in 0..<task.output.channels {
                var value = Double(pixel[channel])
                if let scale = task.scale { value *= Double(scale[channel]) }
                if let residual { value += Double(residual[channel]) }
                out[channel] = Float(compute(task.function, value))
            }
        }
    }

    private static func compute(_ function: ElementwiseFunction, _ x: Double) -> Double {
        switch function {
        case .none: x
        case .relu: x < 0 ? 0 : x
        case .silu: x / (1 + exp(-x))
        case .sigmoid: 1 / (1 + exp(-x))
        }
    }
}
