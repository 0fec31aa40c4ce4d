// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A fully connected layer, an output at a time. Inputs that are not a multiple of 32 are left to the portable kernel.
enum VectorLinear<Instructions: VectorInstructions> {
    static var kernel: Kernel<LinearTask> {
        Kernel(
            name: Instructions.names.linear, blockCount: { task, _ in PortableLinear.blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// A block is a range of outputs.
    private static func run(_ task: LinearTask, block: Int) {
        guard task.inputCount % 32 == 0 else { return PortableLinear.run(task, block: block) }
        let outputs = blockRange(block, of: PortableLinear.blockCount(task), count: task.outputCount)
        let first = outputs.lowerBound
        Instructions.matrixVectorProduct(
            task.weights + first * task.inputCount, rows: outputs.count, columns: task.inputCount, vector: task.input,
            addend: task.bias.map { $0 + first }, out: task.output + first)
    }
}
