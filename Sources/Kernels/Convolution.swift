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

/// One convolution of one image with what follows it:
/// `output = relu(convolution(input, weights) + bias + residual)`.
package struct ConvolutionTask: BitwiseCopyable {
    package let shape: ConvolutionShape
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
        shape: ConvolutionShape, input: Activation, packedWeights: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        residual: Activation?, relu: Bool, output: Activation
    ) {
        self.shape = shape
        self.input = input
        self.packedWeights = packedWeights
        self.bias = bias
        self.residual = residual
        self.relu = relu
        self.output = output
    }
}

/// One way to compute convolutions. How a task is cut into blocks depends on its shape alone, never on the number of
/// threads, and no sum is split across blocks: results are the same bits however many threads share the blocks.
package struct ConvolutionKernel: Sendable {
    /// For plans and benchmarks: `convolutionF32_gemm_openblas`.
    package let name: StaticString

    /// Floats of the packed weights.
    package let packedCount: @Sendable (ConvolutionShape) -> Int

    /// Packs weights in PyTorch's order, those of output channel `o` multiplied by `scale[o]` in Double (by 1 where
    /// `scale` is nil) and rounded once.
    package let pack:
        @Sendable (
            _ shape: ConvolutionShape, _ weights: UnsafePointer<Float>, _ scale: UnsafePointer<Double>?,
            _ packed: UnsafeMutablePointer<Float>
        ) -> Void

    /// Into how many independent blocks the task is cut; at least 1.
    package let blockCount: @Sendable (ConvolutionShape) -> Int

    /// Floats of scratch memory that a thread needs while it computes a block.
    package let scratchCount: @Sendable (ConvolutionShape) -> Int

    /// Computes one block, with scratch memory aligned to 64 bytes that nobody else uses meanwhile.
    package let run: @Sendable (_ task: ConvolutionTask, _ block: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void

    package init(
        name: StaticString,
        packedCount: @escaping @Sendable (ConvolutionShape) -> Int,
        pack:
            @escaping @Sendable (
                ConvolutionShape, UnsafePointer<Float>, UnsafePointer<Double>?, UnsafeMutablePointer<Float>
            ) -> Void,
        blockCount: @escaping @Sendable (ConvolutionShape) -> Int,
        scratchCount: @escaping @Sendable (ConvolutionShape) -> Int,
        run: @escaping @Sendable (ConvolutionTask, Int, UnsafeMutablePointer<Float>) -> Void
    ) {
        self.name = name
        self.packedCount = packedCount
        self.pack = pack
        self.blockCount = blockCount
        self.scratchCount = scratchCount
        self.run = run
    }
}
