// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of shortcut A (`SubsampleTask`) with respect to its input, for one image: that of the output at the pixels
/// that were copied, 0 at the others.
package struct SubsampleGradientTask: KernelTask {
    /// The forward pass, of a whole image: its geometry. Neither its input nor its output is read.
    package let subsampling: SubsampleTask
    package let outputGradient: Activation
    /// Only its pixels are written.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(
        subsampling: SubsampleTask, outputGradient: Activation, inputGradient: Activation, accumulates: Bool
    ) {
        self.subsampling = subsampling
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension SubsampleGradientTask {
    package func assertContract() {
        subsampling.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(inputGradient.hasSize(of: subsampling.input), "input and its gradient differ in size")
        assert(outputGradient.hasSize(of: subsampling.output), "output and its gradient differ in size")
    }
}
