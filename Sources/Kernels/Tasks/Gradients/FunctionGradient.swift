// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of a function of one value, for one image: `inputGradient = outputGradient * function'(input)`.
///
/// It is computed from the result of ReLU and sigmoid, and from the input of SiLU. ReLU passes a gradient where its result
/// is positive or NaN, and gives 0 elsewhere, even for a gradient that is not finite, as PyTorch does.
package struct FunctionGradientTask: KernelTask {
    package let function: ElementwiseFunction
    /// The result of the forward pass; for SiLU, its input.
    package let value: Activation
    package let outputGradient: Activation
    /// Only its pixels are written. It may be the output gradient, if it does not accumulate.
    package let inputGradient: Activation
    /// Whether to add to the input gradient instead of replacing it.
    package let accumulates: Bool

    package init(
        function: ElementwiseFunction, value: Activation, outputGradient: Activation, inputGradient: Activation,
        accumulates: Bool
    ) {
        self.function = function
        self.value = value
        self.outputGradient = outputGradient
        self.inputGradient = inputGradient
        self.accumulates = accumulates
    }
}

extension FunctionGradientTask {
    package func assertContract() {
        value.assertContract()
        inputGradient.assertContract()
        outputGradient.assertContract()
        assert(value.hasSize(of: outputGradient), "value and output gradient differ in size")
        assert(value.hasSize(of: inputGradient), "value and input gradient differ in size")
    }
}
