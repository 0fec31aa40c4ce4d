// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The arguments of a forward.
package struct ForwardArguments {
    package let input: TensorView
    /// One tensor for each wanted stage, from C2 to C5; what stands behind them is not looked at.
    package let outputs: InlineArray<4, TensorView>

    package init(input: TensorView, outputs: InlineArray<4, TensorView>) {
        self.input = input
        self.outputs = outputs
    }
}

extension Network {
    /// Checks the arguments of a forward from end to end, so that nothing but memory can fail afterwards.
    borrowing func check(_ arguments: ForwardArguments) throws(BackboneError) {
        try checkInputShape(arguments.input.shape)
        try arguments.input.checkAddresses("input")
        var index = 0
        for stage in 1...configuration.outStages.deepest where configuration.outStages.contains(stage) {
            let output = arguments.outputs[index]
            let expected = outputShape(stage: stage, input: arguments.input.shape)
            guard output.element == .float32 else {
                throw BackboneError(.invalidArgument, "outputs[\(index)].dtype must be float32")
            }
            guard output.shape == expected else {
                throw BackboneError(
                    .invalidArgument,
                    "outputs[\(index)].shape is \(dimensions: output.shape), expected \(dimensions: expected)")
            }
            try output.checkAddresses("outputs[\(index)]")
            try output.checkDisjoint("outputs[\(index)]")
            index += 1
        }
    }

    /// A BatchNorm that uses the statistics of the batch needs two values per channel, as in PyTorch.
    borrowing func checkBatchStatistics(_ plan: borrowing Plan, imageCount: Int) throws(BackboneError) {
        for step in 0..<plan.steps.count {
            guard case .convolution(let convolution) = plan.steps[step] else { continue }
            let unit = convolution.unit
            let tensor = plan.tensors[convolution.to]
            guard usesBatchStatistics(unit: unit) && imageCount == 1 && tensor.height == 1 && tensor.width == 1 else {
                continue
            }
            let stage = units[unit].stage
            throw BackboneError(
                .invalidArgument,
                "expected more than 1 value per channel when training: a BatchNorm of \(stageName: stage) gets 1 x \(tensor.channels) x 1 x 1"
            )
        }
    }
}

extension Message.Interpolation {
    fileprivate mutating func appendInterpolation(stageName stage: Int) {
        appendInterpolation(stage == 0 ? "the stem" as Message : "layer\(stage)")
    }
}
