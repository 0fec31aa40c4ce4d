// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Runtime

/// A convolution of random numbers with one kernel: packed weights, activations and the threads' memory.
final class ConvolutionJob {
    let task: ConvolutionTask
    private let kernel: ConvolutionKernel
    private let pool: ThreadPool
    private let needs: KernelNeeds
    private let weights: [Float]
    private let packed: UnsafeMutablePointer<Float>
    private let bias: UnsafeMutablePointer<Float>
    private let input: UnsafeMutablePointer<Float>
    private let output: UnsafeMutablePointer<Float>
    private let shared: UnsafeMutablePointer<Float>
    private let scratch: [UnsafeMutablePointer<Float>]
    private var phase = 0

    /// - Parameter nonzero: The percentage of inputs that are not zero, in random places.
    init(
        _ shape: ConvolutionShape, images: Int, kernel: ConvolutionKernel, nonzero: Int, threads: Int
    ) throws {
        self.kernel = kernel
        pool = try ThreadPool(threads: threads)
        var random = BenchRandom(seed: 1)
        weights = (0..<shape.weightCount).map { _ in random.next() }
        bias = try Self.allocate(shape.outputChannels)
        for channel in 0..<shape.outputChannels { bias[channel] = random.next() }

        let (height, width, border) = (shape.inputHeight, shape.inputWidth, shape.padding)
        let inputFloats = (height + 2 * border) * (width + 2 * border) * shape.inputChannels
        let outputFloats = shape.outputHeight * shape.outputWidth * shape.outputChannels
        input = try Self.allocate(images * inputFloats)
        output = try Self.allocate(images * outputFloats)
        let from = Activation(
            block: input, height: height, width: width, channels: shape.inputChannels, border: border,
            imageStride: inputFloats)
        for image in 0..<images {
            for row in 0..<height {
                let pixels = from.pixel(image: image, row: row, column: 0)
                for index in 0..<width * shape.inputChannels {
                    let value = random.next()
                    // Nothing is negative, as after a ReLU.
                    pixels[index] = random.percent() < nonzero ? abs(value) : 0
                }
            }
        }
        packed = try Self.allocate(kernel.packedCount(shape))
        task = ConvolutionTask(
            shape: shape, imageCount: images, input: from, packedWeights: packed, bias: bias, residual: nil, relu: true,
            output: Activation(
                block: output, height: shape.outputHeight, width: shape.outputWidth, channels: shape.outputChannels,
                border: 0, imageStride: outputFloats))
        needs = kernel.kernel.needs(task)
        shared = try Self.allocate(needs.sharedCount)
        var scratch: [UnsafeMutablePointer<Float>] = []
        for _ in 0..<threads { scratch.append(try Self.allocate(needs.scratchCount)) }
        self.scratch = scratch
        weights.withUnsafeBufferPointer { weights in
            guard let start = weights.baseAddress else { return }
            let packing = WeightPackingTask(shape: shape, weights: start, scale: nil, packed: packed)
            for block in 0..<kernel.packing.blockCount(packing, 0) {
                kernel.packing.runBlock(packing, 0, block, KernelMemory(shared: shared, own: scratch[0]))
            }
        }
    }

    deinit { ([packed, bias, input, output, shared] + scratch).forEach(Heap.deallocate) }

    private static func allocate(_ count: Int) throws -> UnsafeMutablePointer<Float> {
        let memory = try Heap.allocate(Float.self, count: count)
        memory.initialize(repeating: 0, count: count)
        return memory
    }

    /// Computes once, and returns the nanoseconds that it took.
    func run() -> Int {
        let context = Unmanaged.passUnretained(self).toOpaque()
        let start = shims_nanoseconds()
        for phase in 0..<needs.phaseCount {
            self.phase = phase
            pool.run(count: kernel.kernel.blockCount(task, phase), context: context) { context, block, worker in
                let job = Unmanaged<ConvolutionJob>.fromOpaque(context).takeUnretainedValue()
                job.kernel.kernel.runBlock(
                    job.task, job.phase, block, KernelMemory(shared: job.shared, own: job.scratch[worker]))
            }
        }
        return shims_nanoseconds() - start
    }

    /// The largest difference of a sample of the output from a loop in Double, relative to the largest value of the sample.
    func error() -> Double {
        var random = BenchRandom(seed: 2)
        var (difference, largest) = (0.0, 0.0)
        for _ in 0..<500 {
            let image = random.below(task.imageCount)
            let (row, column) = (random.below(task.output.height), random.below(task.output.width))
            let channel = random.below(task.shape.outputChannels)
            let expected = value(image: image, row: row, column: column, channel: channel)
            let found = task.output.pixel(image: image, row: row, column: column)[channel]
            difference = max(difference, abs(Double(found) - expected))
            largest = max(largest, abs(expected))
        }
        return difference / max(largest, .leastNormalMagnitude)
    }

    private func value(image: Int, row: Int, column: Int, channel: Int) -> Double {
        let shape = task.shape
        let groupInputs = shape.inputChannels / shape.groups
        let firstInput = channel / (shape.outputChannels / shape.groups) * groupInputs
        var sum = Double(bias[channel])
        for tapRow in 0..<shape.kernelSize {
            for tapColumn in 0..<shape.kernelSize {
                let pixel = task.input.pixel(
                    image: image, row: row * shape.stride + tapRow * shape.dilation - shape.padding,
                    column: column * shape.stride + tapColumn * shape.dilation - shape.padding)
                for index in 0..<groupInputs {
                    let weight = (channel * groupInputs + index) * shape.kernelSize * shape.kernelSize
                    sum +=
                        Double(weights[weight + tapRow * shape.kernelSize + tapColumn])
                        * Double(pixel[firstInput + index])
                }
            }
        }
        return max(sum, 0)
    }
}

/// Any numbers will do that have nothing to do with each other, but the same ones each time: SplitMix64.
struct BenchRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

    /// 24 bits.
    private mutating func step() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return (bits ^ (bits >> 31)) >> 40
    }

    /// A number from -1 to 1.
    mutating func next() -> Float { Float(step()) / Float(1 << 23) - 1 }
    mutating func percent() -> Int { below(100) }
    mutating func below(_ count: Int) -> Int { (Int(step()) * count) >> 24 }
}
