// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Convolution as a matrix product of OpenBLAS: a row of A for each output pixel, which holds the pixel's whole window, a
/// column of B for each output channel.
///
/// The caller keeps OpenBLAS from starting threads: see `BLASThreading`.
enum PortableConvolution {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: "convolutionF32_gemm_openblas",
                needs: { KernelNeeds(scratchCount: PortableBlocking($0.shape).scratchCount) },
                blockCount: { task, _ in task.imageCount * PortableBlocking(task.shape).blockCount },
                runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) }),
            supports: { $0.groups == 1 },
            packedCount: { $0.weightCount },
            packing: Kernel(
                name: "weightPackingF32_openblas",
                blockCount: { task, _ in divideRoundingUp(task.shape.outputChannels, channelsTogether) },
                runBlock: { task, _, block, _ in pack(task, block: block) }))
    }

    /// Output channels of a block of the packing: a cache line of each row.
    private static var channelsTogether: Int { 16 }

    /// Packs the matrix B: rows in the order of a window in memory (row, column, input channel), columns the output
    /// channels. A block is some output channels.
    private static func pack(_ task: WeightPackingTask, block: Int) {
        let shape = task.shape
        let first = block * channelsTogether
        for output in first..<min(first + channelsTogether, shape.outputChannels) {
            for input in 0..<shape.inputChannels {
                task.forEachTap(output: output, input: input) { tap, weight in
                    task.packed[(tap * shape.inputChannels + input) * shape.outputChannels + output] = weight
                }
            }
        }
    }

    /// Computes the pixels and channels of one block, which is part of one image.
    private static func run(_ task: ConvolutionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let shape = task.shape
        let blocking = PortableBlocking(shape)
        let (image, block) = block.quotientAndRemainder(dividingBy: blocking.blockCount)
        let task = task.image(image)
        let pixels = blocking.pixels(of: block)
        let channels = blocking.channels(of: block)

        // A: in place where consecutive pixels are contiguous, else gathered.
        var a = UnsafePointer(scratch)
        if isContiguous(task) {
            a = UnsafePointer(task.input.origin + pixels.lowerBound * shape.inputChannels)
        } else {
            gather(task, pixels: pixels, to: scratch)
        }

        // C: in place too if the output has no border, unless it is the residual to be added.
        let isInPlace = task.output.border == 0 && task.residual?.origin != task.output.origin
        let c =
            isInPlace
            ? task.output.origin + pixels.lowerBound * shape.outputChannels + channels.lowerBound
            : scratch + pixels.count * blocking.depth
        let cStride = isInPlace ? shape.outputChannels : channels.count

        OpenBLAS.functions.sgemm(
            OpenBLAS.rowMajor, OpenBLAS.noTranspose, OpenBLAS.noTranspose, Int32(pixels.count), Int32(channels.count),
            Int32(blocking.depth), 1, a, Int32(blocking.depth), task.packedWeights + channels.lowerBound,
            Int32(shape.outputChannels), 0, c, Int32(cStride))
        finish(task, pixels: pixels, channels: channels, products: c, stride: cStride)
    }

    private static func isContiguous(_ task: ConvolutionTask) -> Bool {
        let shape = task.shape
        return shape.kernelSize == 1 && shape.stride == 1 && shape.padding == 0 && task.input.border == 0
    }

    /// Copies the windows of a range of pixels, each row of a window at once: its pixels are contiguous, unless
    /// dilation sets them apart.
    private static func gather(_ task: ConvolutionTask, pixels: Range<Int>, to a: UnsafeMutablePointer<Float>) {
        let shape = task.shape
        let segments = WindowSegments(task)
        var (row, column) = pixels.lowerBound.quotientAndRemainder(dividingBy: task.output.width)
        var destination = a
        for _ in pixels {
            let source = UnsafePointer(
                task.input.pixel(
                    row: row * shape.stride - shape.padding, column: column * shape.stride - shape.padding))
            for row in 0..<segments.rowCount {
                for segment in 0..<segments.count {
                    destination.update(
                        from: source + segments.offset(row: row, segment: segment), count: segments.length)
                    destination += segments.length
                }
            }
            column += 1
            if column == task.output.width { (row, column) = (row + 1, 0) }
        }
    }

    /// Writes the products to the output with bias, residual and ReLU.
    private static func finish(
        _ task: ConvolutionTask, pixels: Range<Int>, channels: Range<Int>, products: UnsafePointer<Float>, stride: Int
    ) {
        let bias = task.bias + channels.lowerBound
        var (row, column) = pixels.lowerBound.quotientAndRemainder(dividingBy: task.output.width)
        var product = products
        for _ in pixels {
            let out = task.output.pixel(row: row, column: column) + channels.lowerBound
            if let residual = task.residual {
                let residual = residual.pixel(row: row, column: column) + channels.lowerBound
                for channel in 0..<channels.count {
                    let value = product[channel] + bias[channel] + residual[channel]
                    out[channel] = task.relu ? relu(value) : value
                }
            } else {
                for channel in 0..<channels.count {
                    let value = product[channel] + bias[channel]
                    out[channel] = task.relu ? relu(value) : value
                }
            }
            product += stride
            column += 1
            if column == task.output.width { (row, column) = (row + 1, 0) }
        }
    }
}
