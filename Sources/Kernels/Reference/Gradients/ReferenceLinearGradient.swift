// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a fully connected layer in Double, each rounded once.
enum ReferenceLinearGradient {
    static var kernel: Kernel<LinearGradientTask> {
        Kernel(
            name: "linearGradientF32_reference", blockCount: { _, _ in 1 }, runBlock: { task, _, _, _ in run(task) })
    }

    private static func run(_ task: LinearGradientTask) {
        let (inputCount, outputCount) = (task.linear.inputCount, task.linear.outputCount)
        if let inputGradient = task.inputGradient {
            for image in 0..<task.imageCount {
                for input in 0..<inputCount {
                    var sum = 0.0
                    for output in 0..<outputCount {
                        sum += Double(task.linear.weights[output * inputCount + input]) * gradient(task, image, output)
                    }
                    let out = inputGradient + (image * task.inputGradientStride + input)
                    writeGradient(sum, to: out, accumulates: task.accumulates)
                }
            }
        }
        for output in 0..<outputCount {
            if let weightGradient = task.weightGradient {
                for input in 0..<inputCount {
                    var sum = 0.0
                    for image in 0..<task.imageCount {
                        let value = task.linear.input[image * task.inputStride + input]
                        sum += gradient(task, image, output) * Double(value)
                    }
                    writeGradient(sum, to: weightGradient + (output * inputCount + input), accumulates: true)
                }
            }
            if let biasGradient = task.biasGradient {
                var sum = 0.0
                for image in 0..<task.imageCount { sum += gradient(task, image, output) }
                writeGradient(sum, to: biasGradient + output, accumulates: true)
            }
        }
    }

    private static func gradient(_ task: LinearGradientTask, _ image: Int, _ output: Int) -> Double {
        Double(task.outputGradient[image * task.outputGradientStride + output])
    }
}
