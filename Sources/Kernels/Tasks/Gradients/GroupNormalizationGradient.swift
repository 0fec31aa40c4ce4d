// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of GroupNorm for one image, as PyTorch's `group_norm` defines them. With xhat the normalised input,
/// `s = gamma * outputGradient` and means over the values of a group:
///
/// - `inputGradient = (s - mean(s) - xhat * mean(s * xhat)) / sqrt(variance + epsilon)`,
/// - `weightGradient[c] += sum over pixels of outputGradient * xhat`,
/// - `biasGradient[c] += sum over pixels of outputGradient`.
package struct GroupNormalizationGradientTask: KernelTask {
    /// The input of the forward pass.
    package let input: Activation
    /// A divisor of the number of channels. A group is a run of consecutive channels.
    package let groups: Int
    package let epsilon: Double
    /// One value per channel.
    package let weight: UnsafePointer<Float>
    package let outputGradient: Activation
    /// Only its pixels are written. It may be the output gradient, if it does not accumulate.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool
    /// One value per channel, added to.
    package let weightGradient: UnsafeMutablePointer<Double>
    /// One value per channel, added to.
    package let biasGradient: UnsafeMutablePointer<Double>

    package init(
        input: Activation, groups: Int, epsilon: Double, weight: UnsafePointer<Float>, outputGradient: Activation,
        inputGradient: Activation, accumulates: Bool, weightGradient: UnsafeMutablePointer<Double>,
        biasGradient: UnsafeMutablePointer<Double>
    ) {
        self.input = input
        self.groups = groups
        self.epsilon = epsilon
        self.weight = weight
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
        self.weightGradient = weightGradient
        self.biasGradient = biasGradient
    }

    /// Channels of a group.
    var groupSize: Int { input.channels / groups }
}

extension GroupNormalizationGradientTask {
    package func assertContract() {
        input.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(input.hasSize(of: outputGradient), "input and output gradient differ in size")
        assert(input.hasSize(of: inputGradient), "input and its gradient differ in size")
        assert(groups >= 1 && input.channels % groups == 0, "the groups do not divide the channels")
    }
}
