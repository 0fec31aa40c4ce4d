// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Packs the weights of a convolution in the order of a kernel, multiplied by a factor in Double and rounded once.
package struct WeightPackingTask: KernelTask {
    /// The shape of the convolution that will be computed, for an image of any size.
    package let shape: ConvolutionShape
    /// The weights in PyTorch's order (output channel, input channel of its group, row, column). Transposed: those of
    /// the convolution whose gradient with respect to its input is computed, which has the input channels of `shape` as
    /// output channels and each tap at the opposite place.
    package let weights: UnsafePointer<Float>
    package let isTransposed: Bool
    /// A factor for each output channel of the given weights: for each input channel of `shape` if they are
    /// transposed. Nil for 1.
    package let scale: UnsafePointer<Double>?
    package let packed: UnsafeMutablePointer<Float>

    package init(
        shape: ConvolutionShape, weights: UnsafePointer<Float>, isTransposed: Bool = false,
        scale: UnsafePointer<Double>?, packed: UnsafeMutablePointer<Float>
    ) {
        self.shape = shape
        self.weights = weights
        self.isTransposed = isTransposed
        self.scale = scale
        self.packed = packed
    }

    /// Taps of a window.
    var area: Int { shape.kernelSize * shape.kernelSize }

    /// The address of the taps of an output channel for an input channel of its group.
    @inline(__always)
    func taps(output: Int, input: Int) -> UnsafePointer<Float> {
        if !isTransposed { return weights + (output * shape.groupInputs + input) * area }
        let (group, lane) = output.quotientAndRemainder(dividingBy: shape.groupOutputs)
        return weights + ((group * shape.groupInputs + input) * shape.groupOutputs + lane) * area
    }

    /// The factor of an output channel and an input channel of its group.
    @inline(__always)
    func factor(output: Int, input: Int) -> Double {
        guard let scale else { return 1 }
        return scale[isTransposed ? output / shape.groupOutputs * shape.groupInputs + input : output]
    }

    /// Calls `body` with each tap of an output channel for an input channel of its group.
    @inline(__always)
    func forEachTap(output: Int, input: Int, _ body: (_ tap: Int, _ weight: Float) -> Void) {
        let (taps, factor) = (taps(output: output, input: input), factor(output: output, input: input))
        for tap in 0..<area {
            body(tap, Float(Double(taps[isTransposed ? area - 1 - tap : tap]) * factor))
        }
    }
}

extension WeightPackingTask {
    package func assertContract() {
        assert(shape.inputChannels >= 1 && shape.outputChannels >= 1 && shape.kernelSize >= 1 && shape.groups >= 1)
        assert(shape.inputChannels % shape.groups == 0 && shape.outputChannels % shape.groups == 0)
    }
}
