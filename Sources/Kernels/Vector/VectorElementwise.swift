// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Elementwise functions, a vector at a time. Channels that fill no vectors are left to the portable kernel.
enum VectorElementwise<Instructions: VectorInstructions> {
    static var kernel: Kernel<ElementwiseTask> {
        Kernel(
            name: Instructions.names.elementwise, blockCount: { task, _ in PortableElementwise.blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: ElementwiseTask, block: Int) {
        guard task.output.channels % Instructions.lanes == 0 else { return PortableElementwise.run(task, block: block) }
        for row in blockRange(block, of: PortableElementwise.blockCount(task), count: task.output.height) {
            let pixels = shims_elementwise(
                input: task.input.pixel(row: row, column: 0), scale: task.scale, shift: nil,
                residual: task.residual?.pixel(row: row, column: 0), output: task.output.pixel(row: row, column: 0),
                channels: task.output.channels, pixels: task.output.width)
            Instructions.elementwiseSums(pixels, isReLU: task.function == .relu)
            let out = task.output.pixel(row: row, column: 0)
            switch task.function {
            case .none, .relu: break
            case .silu: Instructions.silu(out, count: task.output.rowFloats)
            case .sigmoid: Instructions.sigmoid(out, count: task.output.rowFloats)
            }
        }
    }
}
