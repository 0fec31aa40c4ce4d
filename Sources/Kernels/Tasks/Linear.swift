// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A fully connected layer: `output[o] = bias[o] + sum of weights[o * inputCount + i] * input[i]`.
package struct LinearTask: KernelTask {
    package let inputCount: Int
    package let outputCount: Int
    package let input: UnsafePointer<Float>
    /// The weights in PyTorch's order: (out, in).
    package let weights: UnsafePointer<Float>
    /// One value per output; nil for 0.
    package let bias: UnsafePointer<Float>?
    /// Does not overlap the input.
    package let output: UnsafeMutablePointer<Float>

    package init(
        inputCount: Int, outputCount: Int, input: UnsafePointer<Float>, weights: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, output: UnsafeMutablePointer<Float>
    ) {
        self.inputCount = inputCount
        self.outputCount = outputCount
        self.input = input
        self.weights = weights
        self.bias = bias
        self.output = output
    }
}

extension LinearTask {
    package func assertContract() {
        assert(inputCount >= 1 && outputCount >= 1, "a side of the layer is empty")
        assert(
            input + inputCount <= UnsafePointer(output) || UnsafePointer(output) + outputCount <= input,
            "input and output overlap")
    }
}
