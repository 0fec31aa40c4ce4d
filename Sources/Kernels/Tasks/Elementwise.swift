// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A function of one value. NaN gives NaN.
package enum ElementwiseFunction: BitwiseCopyable, Sendable {
    /// The value itself.
    case none
    case relu
    /// `x * sigmoid(x)`.
    case silu
    /// `1 / (1 + exp(-x))`.
    case sigmoid
}

/// Computes each value of one image by itself: `output = function(input * scale + residual)`.
package struct ElementwiseTask: KernelTask {
    package let input: Activation
    /// One factor per channel; nil for no multiplication.
    package let scale: UnsafePointer<Float>?
    /// Has the size of the output and a border of its own; nil for no addition.
    package let residual: Activation?
    package let function: ElementwiseFunction
    /// Only its pixels are written. It may be the input or the residual.
    package let output: Activation

    package init(
        input: Activation, scale: UnsafePointer<Float>?, residual: Activation?, function: ElementwiseFunction,
        output: Activation
    ) {
        self.input = input
        self.scale = scale
        self.residual = residual
        self.function = function
        self.output = output
    }
}

extension ElementwiseTask {
    package func assertContract() {
        input.assertContract()
        output.assertContract()
        assert(input.hasSize(of: output), "input and output differ in size")
        if let residual {
            residual.assertContract()
            assert(residual.hasSize(of: output), "the residual differs from the output in size")
        }
    }
}
