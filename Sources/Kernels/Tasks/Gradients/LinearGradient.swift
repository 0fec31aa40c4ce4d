// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a fully connected layer for a batch of images:
///
/// - `inputGradient[n][i] = sum over o of weights[o][i] * outputGradient[n][o]`,
/// - `weightGradient[o][i] += sum over n of outputGradient[n][o] * input[n][i]`,
/// - `biasGradient[o] += sum over n of outputGradient[n][o]`, images in order.
package struct LinearGradientTask: KernelTask {
    /// The forward pass of the first image. Its output is not read.
    package let linear: LinearTask
    /// At least 1.
    package let imageCount: Int
    /// Floats from the input of one image to that of the next.
    package let inputStride: Int
    package let outputGradient: UnsafePointer<Float>
    /// Floats from the output gradient of one image to that of the next.
    package let outputGradientStride: Int
    /// Nil if it is not wanted.
    package let inputGradient: UnsafeMutablePointer<Float>?
    /// Floats from the input gradient of one image to that of the next.
    package let inputGradientStride: Int
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool
    /// The gradient in PyTorch's order: (out, in); added to. Nil if it is not wanted.
    package let weightGradient: UnsafeMutablePointer<Float>?
    /// Added to. Nil if it is not wanted.
    package let biasGradient: UnsafeMutablePointer<Float>?

    package init(
        linear: LinearTask, imageCount: Int, inputStride: Int, outputGradient: UnsafePointer<Float>,
        outputGradientStride: Int, inputGradient: UnsafeMutablePointer<Float>?, inputGradientStride: Int,
        accumulates: Bool, weightGradient: UnsafeMutablePointer<Float>?, biasGradient: UnsafeMutablePointer<Float>?
    ) {
        self.linear = linear
        self.imageCount = imageCount
        self.inputStride = inputStride
        self.outputGradient = outputGradient
        self.outputGradientStride = outputGradientStride
        self.inputGradient = inputGradient
        self.inputGradientStride = inputGradientStride
        self.accumulates = accumulates
        self.weightGradient = weightGradient
        self.biasGradient = biasGradient
    }
}

extension LinearGradientTask {
    package func assertContract() {
        assert(imageCount >= 1, "no images")
        assert(linear.inputCount >= 1 && linear.outputCount >= 1, "a side of the layer is empty")
        assert(imageCount == 1 || inputStride >= linear.inputCount, "the inputs of images overlap")
        assert(imageCount == 1 || outputGradientStride >= linear.outputCount, "the gradients of images overlap")
    }
}
