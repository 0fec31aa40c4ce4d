// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Convolution as its definition says, every sum in Double: the specification of all other kernels, not for speed.
enum ReferenceConvolution {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            name: "convolutionF32_reference",
            packedCount: { $0.weightCount },
            pack: pack,
            blockCount: { task, _ in task.imageCount * task.output.height },
            scratchCount: { _ in 0 },
            run: { task, _, block, _ in run(task: task, block: block) }
        )
    }

    /// In PyTorch's order.
    static func pack(
        shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        packed: UnsafeMutablePointer<Float>
    ) {
        let count = shape.inputChannels * shape.kernelSize * shape.kernelSize
        for output in 0..<shape.outputChannels {
            for index in output * count..<(output + 1) * count {
                packed[index] = Float(Double(weights[index]) * (scale?[output] ?? 1))
            }
        }
    }

    /// A block is a row of the output of an image.
    private static func run(task: ConvolutionTask, block: Int) {
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

    /// `sum over i, y, x of input[i, row * stride - padding + y, column * stride - padding + x] * weight[channel, i, y, x]`.
    private static func convolution(
        task: ConvolutionTask, image: Int, row: Int, column: Int, channel: Int
    ) -> Double {
        let shape = task.shape
        var weight = task.packedWeights + channel * shape.inputChannels * shape.kernelSize * shape.kernelSize
        var sum = 0.0
        for input in 0..<shape.inputChannels {
            for y in 0..<shape.kernelSize {
                for x in 0..<shape.kernelSize {
                    let pixel = task.input.pixel(
                        image: image, row: row * shape.stride - shape.padding + y,
                        column: column * shape.stride - shape.padding + x)
                    sum += Double(pixel[input]) * Double(weight.pointee)
                    weight += 1
                }
            }
        }
        return sum
    }
}
