// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// GroupNorm of one image, as PyTorch's `group_norm` defines it, with residual and function:
/// `output = relu((input - mean) / sqrt(variance + epsilon) * weight + bias + residual)`. Mean and biased variance are
/// those of all pixels of the channels of a group.
package struct GroupNormalizationTask: KernelTask {
    /// Its border is not read.
    package let input: Activation
    /// A divisor of the number of channels. A group is a run of consecutive channels.
    package let groups: Int
    package let epsilon: Double
    /// One value per channel.
    package let weight: UnsafePointer<Float>
    /// One value per channel.
    package let bias: UnsafePointer<Float>
    /// Added before the ReLU. Has the size of the output and a border of its own; nil for no addition.
    package let residual: Activation?
    package let relu: Bool
    /// Only its pixels are written. It may be the input or the residual.
    package let output: Activation

    package init(
        input: Activation, groups: Int, epsilon: Double, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>,
        residual: Activation?, relu: Bool, output: Activation
    ) {
        self.input = input
        self.groups = groups
        self.epsilon = epsilon
        self.weight = weight
        self.bias = bias
        self.residual = residual
        self.relu = relu
        self.output = output
    }

    /// Channels of a group.
    var groupSize: Int { input.channels / groups }
}

extension GroupNormalizationTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(input.hasSize(of: output), "input and output differ in size")
        assert(groups >= 1 && input.channels % groups == 0, "the groups do not divide the channels")
        if let residual {
            residual.assertContract()
            assert(residual.hasSize(of: output), "the residual differs from the output in size")
        }
    }
}
