// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of a BatchNorm with respect to its input, over a batch of images, with `xhat` the normalised input, `n` values
/// per channel and `iv = 1 / sqrt(variance + epsilon)` (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3):
/// `inputGradient = gamma * iv * (gradient - sum / n - xhat * (productSum * iv) / n)`.
package struct BatchNormalizationGradientTask: KernelTask {
    /// At least 1. All activations are those of the first image.
    package let imageCount: Int
    /// The gradient with respect to the norm's result, after the gradient of the ReLU.
    package let gradient: Activation
    /// The input of the norm.
    package let input: Activation
    package let mean: UnsafePointer<Double>
    package let variance: UnsafePointer<Double>
    package let epsilon: Double
    package let weight: UnsafePointer<Float>
    /// The sums of `NormGradientSumsTask`.
    package let sum: UnsafePointer<Double>
    package let productSum: UnsafePointer<Double>
    /// Only its pixels are written. It may be the gradient.
    package let inputGradient: Activation

    package init(
        imageCount: Int, gradient: Activation, input: Activation, mean: UnsafePointer<Double>,
        variance: UnsafePointer<Double>, epsilon: Double, weight: UnsafePointer<Float>, sum: UnsafePointer<Double>,
        productSum: UnsafePointer<Double>, inputGradient: Activation
    ) {
        self.imageCount = imageCount
        self.gradient = gradient
        self.input = input
        self.mean = mean
        self.variance = variance
        self.epsilon = epsilon
        self.weight = weight
        self.sum = sum
        self.productSum = productSum
        self.inputGradient = inputGradient
    }

    /// The number of values of a channel.
    var valueCount: Int { imageCount * input.height * input.width }
}

extension BatchNormalizationGradientTask {
    package func assertContract() {
        assert(imageCount >= 1, "no images")
        gradient.assertContract(imageCount: imageCount)
        input.assertContract(imageCount: imageCount)
        inputGradient.assertContract(imageCount: imageCount)
        assert(input.hasSize(of: gradient), "input and gradient differ in size")
        assert(inputGradient.hasSize(of: gradient), "input gradient and gradient differ in size")
    }
}
