// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of a batch, channel by channel: the mean, and the biased variance (divided by the number of values).
package struct BatchStatisticsTask: KernelTask {
    /// The first image; all have its shape.
    package let input: Activation
    /// At least 1.
    package let imageCount: Int
    /// One value per channel, written.
    package let mean: UnsafeMutablePointer<Double>
    /// One value per channel, written.
    package let variance: UnsafeMutablePointer<Double>
    /// Ends it between two rows: a block is all values of some channels.
    let cancellation: Cancellation

    package init(
        input: Activation, imageCount: Int, mean: UnsafeMutablePointer<Double>, variance: UnsafeMutablePointer<Double>,
        cancellation: Cancellation = .none
    ) {
        self.input = input
        self.imageCount = imageCount
        self.mean = mean
        self.variance = variance
        self.cancellation = cancellation
    }

    /// The number of values of a channel.
    var valueCount: Int { imageCount * input.height * input.width }
}

extension BatchStatisticsTask {
    package func assertContract() {
        assert(imageCount >= 1, "no images")
        input.assertContract(imageCount: imageCount)
        assert(abs(variance - mean) >= input.channels, "mean and variance overlap")
    }
}

/// BatchNorm of one image with given statistics, residual and ReLU:
/// `output = relu((input - mean) / sqrt(variance + epsilon) * weight + bias + residual)`.
package struct BatchNormalizationTask: KernelTask {
    package let input: Activation
    package let mean: UnsafePointer<Double>
    package let variance: UnsafePointer<Double>
    package let epsilon: Double
    package let weight: UnsafePointer<Float>
    package let bias: UnsafePointer<Float>
    /// Added, before the ReLU if any; of the shape of the output, with a border of its own.
    package let residual: Activation?
    package let relu: Bool
    /// Only its pixels are written. It may be the input or the residual.
    package let output: Activation

    package init(
        input: Activation, mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, epsilon: Double,
        weight: UnsafePointer<Float>, bias: UnsafePointer<Float>, residual: Activation?, relu: Bool,
        output: Activation
    ) {
        self.input = input
        self.mean = mean
        self.variance = variance
        self.epsilon = epsilon
        self.weight = weight
        self.bias = bias
        self.residual = residual
        self.relu = relu
        self.output = output
    }
}

extension BatchNormalizationTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(input.hasSize(of: output), "input and output differ in size")
        if let residual {
            residual.assertContract()
            assert(residual.hasSize(of: output), "the residual is not of the size of the output")
        }
    }
}
