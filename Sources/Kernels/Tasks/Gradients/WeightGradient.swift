// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of a convolution with respect to its weights, over a batch of images:
/// `gradient[o][i][r][s] = sum over images and output pixels of outputGradient[o] * input[i]` at tap (r, s) of the window.
///
/// It also computes the products with the weights, which the gradient of a norm with running statistics needs, and the
/// gradient times a factor.
///
/// Terms are added image by image, row by row; if a kernel splits the sum into parts, the parts and their order depend
/// on the sizes alone, so that the bits do not depend on threads.
package struct WeightGradientTask: KernelTask {
    package let shape: ConvolutionShape
    /// At least 1. Input and output gradient are those of the first.
    package let imageCount: Int
    /// Its border is at least `shape.padding`.
    package let input: Activation
    /// Its border is not read.
    package let outputGradient: Activation
    /// A factor for each output channel, rounded to Float; nil for 1.
    package let scale: UnsafePointer<Double>?
    /// Gradient in PyTorch's order (output channel, input channel of its group, row, column); nil if it is not wanted.
    package let gradient: UnsafeMutablePointer<Float>?
    /// Whether to add to the gradient instead of replacing it.
    package let accumulates: Bool
    /// The weights in the same order; read for the products alone.
    package let weights: UnsafePointer<Float>
    /// The sum of the products of each output channel's weights with their gradients before the factor, in Double; nil
    /// if they are not wanted.
    package let products: UnsafeMutablePointer<Double>?

    package init(
        shape: ConvolutionShape, imageCount: Int, input: Activation, outputGradient: Activation,
        scale: UnsafePointer<Double>?, gradient: UnsafeMutablePointer<Float>?, accumulates: Bool,
        weights: UnsafePointer<Float>, products: UnsafeMutablePointer<Double>?
    ) {
        self.shape = shape
        self.imageCount = imageCount
        self.input = input
        self.outputGradient = outputGradient
        self.scale = scale
        self.gradient = gradient
        self.accumulates = accumulates
        self.weights = weights
        self.products = products
    }
}

extension WeightGradientTask {
    package func assertContract() {
        shape.assertContract()
        assert(imageCount >= 1, "no images")
        input.assertContract(imageCount: imageCount)
        outputGradient.assertContract(imageCount: imageCount)
        assert(
            input.hasSize(shape.inputHeight, shape.inputWidth, shape.inputChannels), "the input is not of the shape")
        assert(
            outputGradient.hasSize(shape.outputHeight, shape.outputWidth, shape.outputChannels),
            "the output gradient is not what the shape gives")
        assert(input.border >= shape.padding, "the border of the input is narrower than the padding")
    }
}
