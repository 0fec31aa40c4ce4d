// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels

/// A convolution of a batch, in either direction.
struct BatchConvolution {
    let kernel: ConvolutionKernel
    let shape: ConvolutionShape
    let weights: UnsafePointer<Float>
    let bias: UnsafePointer<Float>
    let input: Activation
    let residual: Activation?
    let relu: Bool
    let output: Activation
}

extension TrainingPass {
    /// Computes a convolution for some images at a time: as many as stay in a cache.
    mutating func perform(_ convolution: BatchConvolution, imagesTogether: Int) {
        var first = 0
        while first < imageCount {
            let images = min(imagesTogether, imageCount - first)
            perform(
                convolution.kernel.kernel,
                ConvolutionTask(
                    shape: convolution.shape, imageCount: images, input: convolution.input.image(first),
                    packedWeights: convolution.weights, bias: convolution.bias,
                    residual: convolution.residual?.image(first), relu: convolution.relu,
                    output: convolution.output.image(first)))
            first += images
            // The last group may be smaller, and need more.
            if isMeasuring { first = max(first, imageCount - imageCount % imagesTogether) }
        }
    }
}
