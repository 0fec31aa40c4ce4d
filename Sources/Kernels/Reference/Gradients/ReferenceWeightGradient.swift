// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of weights as its definition says, every sum in Double.
enum ReferenceWeightGradient {
    static var kernel: Kernel<WeightGradientTask> {
        Kernel(
            name: "weightGradientF32_reference", blockCount: { task, _ in task.shape.outputChannels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is an output channel.
    private static func run(_ task: WeightGradientTask, channel: Int) {
        let shape = task.shape
        let firstInput = channel / shape.groupOutputs * shape.groupInputs
        var products = 0.0
        var index = channel * shape.windowCount
        for input in firstInput..<firstInput + shape.groupInputs {
            for y in 0..<shape.kernelSize {
                for x in 0..<shape.kernelSize {
                    let sum = sum(task, channel: channel, input: input, y: y, x: x)
                    products += Double(task.weights[index]) * sum
                    if let gradient = task.gradient {
                        let value = sum * (task.scale?[channel] ?? 1)
                        gradient[index] = Float(task.accumulates ? Double(gradient[index]) + value : value)
                    }
                    index += 1
                }
            }
        }
        if let out = task.products { out[channel] = products }
    }

    private static func sum(_ task: WeightGradientTask, channel: Int, input: Int, y: Int, x: Int) -> Double {
        let shape = task.shape
        var sum = 0.0
        for image in 0..<task.imageCount {
            for row in 0..<shape.outputHeight {
                for column in 0..<shape.outputWidth {
                    let pixel = task.input.pixel(
                        image: image, row: row * shape.stride - shape.padding + y * shape.dilation,
                        column: column * shape.stride - shape.padding + x * shape.dilation)
                    let gradient = task.outputGradient.pixel(image: image, row: row, column: column)
                    sum += Double(gradient[channel]) * Double(pixel[input])
                }
            }
        }
        return sum
    }
}
