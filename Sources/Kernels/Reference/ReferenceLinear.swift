// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A fully connected layer in Double, rounded once.
enum ReferenceLinear {
    static var kernel: Kernel<LinearTask> {
        Kernel(
            name: "linearF32_reference", blockCount: { task, _ in task.outputCount },
            runBlock: { task, _, block, _ in run(task, output: block) })
    }

    /// A block is one output.
    private static func run(_ task: LinearTask, output: Int) {
        var sum = 0.0
        if let bias = task.bias { sum = Double(bias[output]) }
        for index in 0..<task.inputCount {
            sum += Double(task.weights[output * task.inputCount + index]) * Double(task.input[index])
        }
        task.output[output] = Float(sum)
    }
}
