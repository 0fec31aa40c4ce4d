// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of weights in plain Swift: for convolutions with groups, and, without OpenBLAS, for those that do not
/// fill vectors. A block is some output channels of a part of the rows.
enum PlainWeightGradient {
    private static var outputsTogether: Int { 16 }

    static func blockCount(_ task: WeightGradientTask, in parts: WeightGradientParts) -> Int {
        parts.rows.count * divideRoundingUp(task.shape.outputChannels, outputsTogether)
    }

    static func run(
        _ task: WeightGradientTask, _ parts: WeightGradientParts, _ block: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        let shape = task.shape
        let ranges = divideRoundingUp(shape.outputChannels, outputsTogether)
        let (part, range) = block.quotientAndRemainder(dividingBy: ranges)
        let outputs = blockRange(range, of: ranges, count: shape.outputChannels)
        let sums = parts.floats(part, shared)
        (sums + outputs.lowerBound * shape.windowCount).update(repeating: 0, count: outputs.count * shape.windowCount)
        for index in parts.rows[part] {
            let (image, row) = parts.rows.place(index)
            for y in 0..<shape.kernelSize {
                let input = task.input.pixel(
                    image: image, row: row * shape.stride - shape.padding + y * shape.dilation, column: -shape.padding)
                addRow(
                    task, outputs, input: input, task.outputGradient.pixel(image: image, row: row, column: 0),
                    sums + y * shape.kernelSize * shape.groupInputs)
            }
        }
    }

    /// Adds the products of a row of gradients with the row of the input under one row of the window.
    private static func addRow(
        _ task: WeightGradientTask, _ outputs: Range<Int>, input: UnsafePointer<Float>,
        _ gradients: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
    ) {
        let shape = task.shape
        let count = shape.groupInputs
        for column in 0..<shape.outputWidth {
            let gradient = gradients + column * shape.outputChannels
            for x in 0..<shape.kernelSize {
                let pixel = input + (column * shape.stride + x * shape.dilation) * shape.inputChannels
                for output in outputs {
                    let group = pixel + output / shape.groupOutputs * count
                    let factor = gradient[output]
                    let out = sums + (output * shape.windowCount + x * count)
                    for index in 0..<count { out[index] += factor * group[index] }
                }
            }
        }
    }
}
