// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The first half of the gradient of a ReLU and a norm, over a batch of images. In one pass:
///
/// - the gradient of the ReLU, `masked = gradient` where `result` is positive or NaN, else 0;
/// - for each channel `sum = sum of masked` and `productSum = sum of masked * (input - mean)`, in Double.
///
/// The sums are split into parts of rows by the sizes alone, so that the bits do not depend on threads.
package struct NormGradientSumsTask: KernelTask {
    /// At least 1. All activations are those of the first image.
    package let imageCount: Int
    package let gradient: Activation
    /// The result of the ReLU; nil for no ReLU, and then the gradient is `masked` already.
    package let result: Activation?
    /// Written with a ReLU; only its pixels. It may be the gradient.
    package let masked: Activation
    /// The input of the norm; nil if the sums of products are not wanted.
    package let input: Activation?
    /// One value per channel; not read without an input.
    package let mean: UnsafePointer<Double>?
    /// One value per channel, replaced.
    package let sum: UnsafeMutablePointer<Double>
    /// One value per channel, replaced; not written without an input.
    package let productSum: UnsafeMutablePointer<Double>?

    package init(
        imageCount: Int, gradient: Activation, result: Activation?, masked: Activation, input: Activation?,
        mean: UnsafePointer<Double>?, sum: UnsafeMutablePointer<Double>, productSum: UnsafeMutablePointer<Double>?
    ) {
        self.imageCount = imageCount
        self.gradient = gradient
        self.result = result
        self.masked = masked
        self.input = input
        self.mean = mean
        self.sum = sum
        self.productSum = productSum
    }
}

extension NormGradientSumsTask {
    package func assertContract() {
        assert(imageCount >= 1, "no images")
        gradient.assertContract(imageCount: imageCount)
        if let result { assert(result.hasSize(of: gradient), "result and gradient differ in size") }
        if result != nil { assert(masked.hasSize(of: gradient), "masked and gradient differ in size") }
        if let input { assert(input.hasSize(of: gradient), "input and gradient differ in size") }
        assert(input == nil || mean != nil && productSum != nil, "a norm's input needs its mean and a sum")
    }
}

extension NormGradientSumsTask {
    var parts: ChannelSumParts { ChannelSumParts(gradient, imageCount: imageCount) }

    /// The second phase.
    func combine(block: Int, _ shared: UnsafeMutablePointer<Float>) {
        parts.combine(block: block, shared) { channel, sum, products in
            self.sum[channel] = sum
            if input != nil, let productSum { productSum[channel] = products }
        }
    }
}
