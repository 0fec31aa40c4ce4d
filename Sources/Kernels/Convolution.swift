// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The geometry of one convolution on one image. Kernels are square; padding is the same on all sides.
package struct ConvolutionShape: BitwiseCopyable, Equatable, Sendable {
    package let inputChannels: Int
    package let outputChannels: Int
    package let kernelSize: Int
    package let stride: Int
    package let padding: Int
    package let inputHeight: Int
    package let inputWidth: Int

    package init(
        inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int, padding: Int, inputHeight: Int,
        inputWidth: Int
    ) {
        self.inputChannels = inputChannels
        self.outputChannels = outputChannels
        self.kernelSize = kernelSize
        self.stride = stride
        self.padding = padding
        self.inputHeight = inputHeight
        self.inputWidth = inputWidth
    }

    /// `floor((size + 2 * padding - kernelSize) / stride) + 1`.
    package var outputHeight: Int { (inputHeight + 2 * padding - kernelSize) / stride + 1 }
    package var outputWidth: Int { (inputWidth + 2 * padding - kernelSize) / stride + 1 }

    /// Floats of the unpacked weights, in PyTorch's order (output channel, input channel, row, column).
    package var weightCount: Int { outputChannels * inputChannels * kernelSize * kernelSize }
}

/// One convolution of some images with what follows it:
/// `output = relu(convolution(input, weights) + bias + residual)`.
package struct ConvolutionTask: BitwiseCopyable {
    package let shape: ConvolutionShape
    /// At least 1. Input, residual and output are those of the first.
    package let imageCount: Int
    /// Its border is at least `shape.padding`.
    package let input: Activation
    /// As the kernel's `pack` wrote them.
    package let packedWeights: UnsafePointer<Float>
    /// One value per output channel.
    package let bias: UnsafePointer<Float>
    /// Added before the ReLU if there is one; of the shape of the output, with a border of its own.
    package let residual: Activation?
    package let relu: Bool
    /// Only its pixels are written, never its border.
    package let output: Activation

    package init(
        shape: ConvolutionShape, imageCount: Int, input: Activation, packedWeights: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, residual: Activation?, relu: Bool, output: Activation
    ) {
        self.shape = shape
        self.imageCount = imageCount
        self.input = input
        self.packedWeights = packedWeights
        self.bias = bias
        self.residual = residual
        self.relu = relu
        self.output = output
    }

    /// Output pixels of all images.
    var pixelCount: Int { imageCount * output.height * output.width }

    /// The part of the task that computes one image.
    func image(_ index: Int) -> ConvolutionTask {
        ConvolutionTask(
            shape: shape, imageCount: 1, input: input.image(index), packedWeights: packedWeights, bias: bias,
            residual: residual?.image(index), relu: relu, output: output.image(index))
    }
}

/// The scratch memory of a block of a convolution, aligned to 64 bytes.
package struct ConvolutionMemory: BitwiseCopyable {
    /// What earlier phases of the same task wrote; all threads have the same.
    package let shared: UnsafeMutablePointer<Float>
    /// Nobody else uses it while the block is computed.
    package let own: UnsafeMutablePointer<Float>

    package init(shared: UnsafeMutablePointer<Float>, own: UnsafeMutablePointer<Float>) {
        self.shared = shared
        self.own = own
    }
}

/// One way to compute convolutions.
///
/// A task is computed in phases, one after the other, and each phase in blocks, in any order and by any threads. How a
/// pixel's value is computed depends on the shape alone: neither on the number of threads nor on the number of images, and
/// no sum is split across blocks. So results are the same bits however many threads share the blocks, and whatever other
/// images are computed with one.
package struct ConvolutionKernel: Sendable {
    /// For plans and benchmarks: `convolutionF32_gemm_openblas`.
    package let name: StaticString

    /// Whether the kernel can compute convolutions of a shape.
    package let supports: @Sendable (ConvolutionShape) -> Bool

    /// Floats of the packed weights, which depend on the shape but for the size of the image.
    package let packedCount: @Sendable (ConvolutionShape) -> Int

    /// Packs weights in PyTorch's order, those of output channel `o` multiplied by `scale[o]` in Double (by 1 where
    /// `scale` is nil), and rounds once.
    package let pack:
        @Sendable (
            _ shape: ConvolutionShape, _ weights: UnsafePointer<Float>, _ scale: UnsafePointer<Double>?,
            _ packed: UnsafeMutablePointer<Float>
        ) -> Void

    /// How many phases a task has; at least 1.
    package let phaseCount: @Sendable (ConvolutionTask) -> Int

    /// Into how many independent blocks a phase is cut; at least 1.
    package let blockCount: @Sendable (_ task: ConvolutionTask, _ phase: Int) -> Int

    /// Floats of memory that the phases of a task share.
    package let sharedCount: @Sendable (ConvolutionTask) -> Int

    /// Floats of scratch memory that a thread needs while it computes a block.
    package let scratchCount: @Sendable (ConvolutionTask) -> Int

    /// Computes one block of a phase, after all blocks of the phases before it.
    package let run: @Sendable (_ task: ConvolutionTask, _ phase: Int, _ block: Int, ConvolutionMemory) -> Void

    package init(
        name: StaticString,
        supports: @escaping @Sendable (ConvolutionShape) -> Bool = { _ in true },
        packedCount: @escaping @Sendable (ConvolutionShape) -> Int,
        pack:
            @escaping @Sendable (
                ConvolutionShape, UnsafePointer<Float>, UnsafePointer<Double>?, UnsafeMutablePointer<Float>
            ) -> Void,
        phaseCount: @escaping @Sendable (ConvolutionTask) -> Int = { _ in 1 },
        blockCount: @escaping @Sendable (ConvolutionTask, Int) -> Int,
        sharedCount: @escaping @Sendable (ConvolutionTask) -> Int = { _ in 0 },
        scratchCount: @escaping @Sendable (ConvolutionTask) -> Int,
        run: @escaping @Sendable (ConvolutionTask, Int, Int, ConvolutionMemory) -> Void
    ) {
        self.name = name
        self.supports = supports
        self.packedCount = packedCount
        self.pack = pack
        self.phaseCount = phaseCount
        self.blockCount = blockCount
        self.sharedCount = sharedCount
        self.scratchCount = scratchCount
        self.run = run
    }
}
