// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Convolution as its definition says, every sum in Double: the specification of all other kernels, not for speed.
enum ReferenceConvolution {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: "convolutionF32_reference",
                blockCount: { task, _ in task.imageCount * task.output.height },
                runBlock: { task, _, block, _ in run(task, block: block) }),
            packedCount: { $0.weightCount },
            packing: Kernel(
                name: "weightPackingF32_reference", blockCount: { task, _ in task.shape.outputChannels },
                runBlock: { task, _, block, _ in pack(task, channel: block) }))
    }

    /// Packs in PyTorch's order. A block is an output channel.
    private static func pack(_ task: WeightPackingTask, channel: Int) {
        var out = task.packed + channel * task.shape.windowCount
        for input in 0..<task.shape.groupInputs {
            task.forEachTap(output: channel, input: input) { tap, weight in out[tap] = weight }
            out += task.area
        }
    }

    /// A block is a row of the output of an image.
    private static func run(_ task: ConvolutionTask, block: Int) {
        let (image, row) = block.quotientAndRemainder(dividingBy: task.output.height)
        for column in 0..<task.output.width {
            let out = task.output.pixel(image: image, row: row, column: column)
            let residual = task.residual?.pixel(image: image, row: row, column: column)
            for channel in 0..<task.shape.outputChannels {
                var sum = convolution(task: task, image: image, row: row, column: column, channel: channel)
                sum += Double(task.bias[channel])
                if let residual { sum += Double(residual[channel]) }
                out[channel] = task.relu ? relu(Float(sum)) : Float(sum)
            }
        }
    }

    /// The sum over i, y, x of `input[group * inputs + i, row * stride - padding + y * dilation, column * stride - padding +
    /// x * dilation] * weight[channel, i, y, x]`.
    private static func convolution(
        task: ConvolutionTask, image: Int, row: Int, column: Int, channel: Int
    ) -> Double {
        let shape = task.shape
        var weight = task.packedWeights + channel * shape.windowCount
        let firstInput = channel / shape.groupOutputs * shape.groupInputs
        var sum = 0.0
        for input in firstInput..<firstInput + shape.groupInputs {
            for y in 0..<shape.kernelSize {
                for x in 0..<shape.kernelSize {
                    let pixel = task.input.pixel(
                        image: image, row: row * shape.stride - shape.padding + y * shape.dilation,
                        column: column * shape.stride - shape.padding + x * shape.dilation)
                    sum += Double(pixel[input]) * Double(weight.pointee)
                    weight += 1
                }
            }
        }
        return sum
    }
}
