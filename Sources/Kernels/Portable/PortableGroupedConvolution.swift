// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Convolution of groups of channels in plain Swift: products too small for OpenBLAS, and in other tables groups that
/// do not fill vectors.
enum PortableGroupedConvolution {
    /// Output channels that are computed at once.
    private static var width: Int { 4 }
    /// Multiplications worth a block of its own.
    private static var blockWork: Int { 200_000 }

    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: "convolutionF32_grouped_portable",
                blockCount: { task, _ in blockCount(task) },
                runBlock: { task, _, block, _ in run(task, block: block) }),
            packedCount: { $0.weightCount },
            packing: Kernel(
                name: "weightPackingF32_grouped_portable", blockCount: { task, _ in task.shape.groups },
                runBlock: { task, _, block, _ in pack(task, group: block) }))
    }

    /// Packs a weight of each output channel, for each group in the order of a window (row, column, input channel of
    /// the group). A block is a group.
    private static func pack(_ task: WeightPackingTask, group: Int) {
        let (inputs, outputs) = (task.shape.groupInputs, task.shape.groupOutputs)
        let out = task.packed + group * task.shape.windowCount * outputs
        for lane in 0..<outputs {
            for input in 0..<inputs {
                task.forEachTap(output: group * outputs + lane, input: input) { tap, weight in
                    out[(tap * inputs + input) * outputs + lane] = weight
                }
            }
        }
    }

    private static func blockCount(_ task: ConvolutionTask) -> Int {
        let rows = task.imageCount * task.output.height
        let rowWork = task.output.width * task.shape.windowCount * task.shape.outputChannels
        return divideRoundingUp(rows, max(1, blockWork / max(1, rowWork)))
    }

    /// A block is a range of the rows of all images.
    private static func run(_ task: ConvolutionTask, block: Int) {
        let height = task.output.height
        for line in blockRange(block, of: blockCount(task), count: task.imageCount * height) {
            let (image, row) = line.quotientAndRemainder(dividingBy: height)
            for group in 0..<task.shape.groups { run(task, image: image, row: row, group: group) }
        }
    }

    /// One row of the output channels of a group: four pixels at a time, with independent sums.
    private static func run(_ task: ConvolutionTask, image: Int, row: Int, group: Int) {
        let outputs = task.shape.groupOutputs
        var column = 0
        while column < task.output.width {
            let line = GroupLine(task, image: image, row: row, column: column, group: group)
            let count = min(4, task.output.width - column)
            var channel = 0
            while channel + width <= outputs {
                if count == 4 {
                    line.compute4(channel)
                } else {
                    for pixel in 0..<count { line.compute(pixel: pixel, vector: channel) }
                }
                channel += width
            }
            while channel < outputs {
                for pixel in 0..<count { line.compute(pixel: pixel, channel: channel) }
                channel += 1
            }
            column += count
        }
    }
}

/// Neighbouring pixels of a row of one group. Every sum begins with the bias and adds its terms in the order of the
/// window, however many pixels and channels are computed at once.
private struct GroupLine {
    private typealias Vector = SIMD4<Float>

    private let segments: WindowSegments
    /// Window, weights, bias, residual and output of the first pixel at the first channel of the group.
    private let window: UnsafePointer<Float>
    private let weights: UnsafePointer<Float>
    private let bias: UnsafePointer<Float>
    private let residual: UnsafePointer<Float>?
    private let output: UnsafeMutablePointer<Float>
    private let isReLU: Bool
    /// Output channels of the group.
    private let outputs: Int
    /// Floats from one pixel to the next.
    private let windowStride: Int
    private let outputStride: Int

    init(_ task: ConvolutionTask, image: Int, row: Int, column: Int, group: Int) {
        let shape = task.shape
        segments = WindowSegments(task)
        outputs = shape.groupOutputs
        let channel = group * outputs
        window = UnsafePointer(
            task.input.pixel(
                image: image, row: row * shape.stride - shape.padding, column: column * shape.stride - shape.padding)
                + group * shape.groupInputs)
        weights = task.packedWeights + channel * shape.windowCount
        bias = task.bias + channel
        residual = task.residual.map { UnsafePointer($0.pixel(image: image, row: row, column: column) + channel) }
        output = task.output.pixel(image: image, row: row, column: column) + channel
        isReLU = task.relu
        windowStride = shape.stride * shape.inputChannels
        outputStride = shape.outputChannels
    }

    /// Four pixels by four output channels.
    func compute4(_ channel: Int) {
        let start = load(bias + channel)
        var (sum0, sum1, sum2, sum3) = (start, start, start, start)
        var weight = weights + channel
        for row in 0..<segments.rowCount {
            for segment in 0..<segments.count {
                let input = window + segments.offset(row: row, segment: segment)
                for index in 0..<segments.length {
                    let factors = load(weight)
                    sum0 += input[index] * factors
                    sum1 += input[windowStride + index] * factors
                    sum2 += input[2 * windowStride + index] * factors
                    sum3 += input[3 * windowStride + index] * factors
                    weight += outputs
                }
            }
        }
        finish(sum0, pixel: 0, channel)
        finish(sum1, pixel: 1, channel)
        finish(sum2, pixel: 2, channel)
        finish(sum3, pixel: 3, channel)
    }

    /// A pixel by four output channels.
    func compute(pixel: Int, vector channel: Int) {
        var sum = load(bias + channel)
        var weight = weights + channel
        for row in 0..<segments.rowCount {
            for segment in 0..<segments.count {
                let input = window + (pixel * windowStride + segments.offset(row: row, segment: segment))
                for index in 0..<segments.length {
                    sum += input[index] * load(weight)
                    weight += outputs
                }
            }
        }
        finish(sum, pixel: pixel, channel)
    }

    /// A pixel by an output channel.
    func compute(pixel: Int, channel: Int) {
        var sum = bias[channel]
        var weight = weights + channel
        for row in 0..<segments.rowCount {
            for segment in 0..<segments.count {
                let input = window + (pixel * windowStride + segments.offset(row: row, segment: segment))
                for index in 0..<segments.length {
                    sum += input[index] * weight.pointee
                    weight += outputs
                }
            }
        }
        let place = pixel * outputStride + channel
        if let residual { sum += residual[place] }
        output[place] = isReLU ? relu(sum) : sum
    }

    private func finish(_ sum: Vector, pixel: Int, _ channel: Int) {
        let place = pixel * outputStride + channel
        var sum = sum
        if let residual { sum += load(residual + place) }
        if isReLU { sum.replace(with: 0, where: sum .< 0) }
        UnsafeMutableRawPointer(output + place).storeBytes(of: sum, as: Vector.self)
    }

    private func load(_ address: UnsafePointer<Float>) -> Vector {
        UnsafeRawPointer(address).loadUnaligned(as: Vector.self)
    }
}
