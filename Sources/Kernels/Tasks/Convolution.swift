// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The geometry of one convolution on one image. Kernels are square; padding is the same on all sides.
package struct ConvolutionShape: BitwiseCopyable, Equatable, Sendable {
    package let inputChannels: Int
    package let outputChannels: Int
    package let kernelSize: Int
    package let stride: Int
    package let padding: Int
    /// Parts of equal size into which input and output channels are cut; an output channel reads only its own part.
    package let groups: Int
    /// Pixels from one tap of a window to the next.
    package let dilation: Int
    package let inputHeight: Int
    package let inputWidth: Int

    package init(
        inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int, padding: Int, groups: Int = 1,
        dilation: Int = 1, inputHeight: Int, inputWidth: Int
    ) {
        self.inputChannels = inputChannels
        self.outputChannels = outputChannels
        self.kernelSize = kernelSize
        self.stride = stride
        self.padding = padding
        self.groups = groups
        self.dilation = dilation
        self.inputHeight = inputHeight
        self.inputWidth = inputWidth
    }

    /// `floor((size + 2 * padding - dilation * (kernelSize - 1) - 1) / stride) + 1`.
    package var outputHeight: Int { (inputHeight + 2 * padding - windowExtent) / stride + 1 }
    package var outputWidth: Int { (inputWidth + 2 * padding - windowExtent) / stride + 1 }

    /// Pixels from the first tap of a window to the last one, both included, in each direction.
    var windowExtent: Int { dilation * (kernelSize - 1) + 1 }

    /// Channels of a group.
    var groupInputs: Int { inputChannels / groups }
    var groupOutputs: Int { outputChannels / groups }

    /// Length of the sums.
    var windowCount: Int { kernelSize * kernelSize * groupInputs }

    func assertContract() {
        assert(inputChannels >= 1 && outputChannels >= 1 && kernelSize >= 1 && stride >= 1 && padding >= 0)
        assert(groups >= 1 && dilation >= 1)
        assert(
            inputChannels % groups == 0 && outputChannels % groups == 0, "the groups do not divide the channels")
        assert(
            inputHeight + 2 * padding >= windowExtent && inputWidth + 2 * padding >= windowExtent,
            "the input is smaller than a window")
    }

    /// Floats of the unpacked weights, in PyTorch's order (output channel, input channel of its group, row, column).
    package var weightCount: Int { outputChannels * windowCount }
}

/// One convolution of some images, with bias, residual and ReLU:
/// `output = relu(convolution(input, weights) + bias + residual)`.
package struct ConvolutionTask: KernelTask {
    package let shape: ConvolutionShape
    /// At least 1. Input, residual and output are those of the first.
    package let imageCount: Int
    /// Its border is at least `shape.padding`.
    package let input: Activation
    /// Written by the kernel's `packing`.
    package let packedWeights: UnsafePointer<Float>
    /// One value per output channel.
    package let bias: UnsafePointer<Float>
    /// Added, before the ReLU if any; of the shape of the output, with a border of its own.
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

extension ConvolutionTask {
    package func assertContract() {
        shape.assertContract()
        assert(imageCount >= 1, "no images")
        input.assertContract(imageCount: imageCount)
        output.assertContract(imageCount: imageCount)
        assert(
            input.hasSize(shape.inputHeight, shape.inputWidth, shape.inputChannels), "the input is not of the shape")
        assert(
            output.hasSize(shape.outputHeight, shape.outputWidth, shape.outputChannels),
            "the output is not what the shape gives")
        assert(input.border >= shape.padding, "the border of the input is narrower than the padding")
        if let residual {
            residual.assertContract(imageCount: imageCount)
            assert(residual.hasSize(of: output), "the residual is not of the size of the output")
        }
    }
}

/// One way to compute convolutions: a kernel, and the order of weights that it reads.
///
/// The computation of a pixel depends on the shape alone, neither on the number of threads nor on the number of images.
/// So an image has the same bits in any batch.
package struct ConvolutionKernel: Sendable {
    /// Computes tasks with weights written by `packing`.
    package let kernel: Kernel<ConvolutionTask>

    /// Whether the kernel can compute convolutions of a shape.
    package let supports: @Sendable (ConvolutionShape) -> Bool

    /// Floats of the packed weights, which depend on the shape except the size of the image.
    package let packedCount: @Sendable (ConvolutionShape) -> Int

    /// Packs weights for the kernel, without memory of its own.
    package let packing: Kernel<WeightPackingTask>

    /// The name in plans and benchmarks: `convolutionF32_gemm_openblas`.
    package var name: StaticString { kernel.name }

    package init(
        kernel: Kernel<ConvolutionTask>,
        supports: @escaping @Sendable (ConvolutionShape) -> Bool = { _ in true },
        packedCount: @escaping @Sendable (ConvolutionShape) -> Int,
        packing: Kernel<WeightPackingTask>
    ) {
        self.kernel = kernel
        self.supports = supports
        self.packedCount = packedCount
        self.packing = packing
    }
}
