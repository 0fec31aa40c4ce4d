// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The tensors of all outputs, and room for more.
package typealias OutputViews = InlineArray<8, TensorView>

/// The arguments of a forward pass.
package struct ForwardArguments {
    package let input: TensorView
    /// One tensor for each output of the network; the rest is not read.
    package let outputs: OutputViews

    package init(input: TensorView, outputs: OutputViews) {
        self.input = input
        self.outputs = outputs
    }
}

extension Network {
    /// Checks all arguments of a forward pass, so that afterwards it can only run out of memory.
    borrowing func check(_ arguments: ForwardArguments) throws(BackboneError) {
        try checkInputShape(arguments.input.shape)
        try arguments.input.checkAddresses("input")
        for index in 0..<graph.outputs.count {
            let expected = outputShape(index, input: arguments.input.shape)
            try arguments.outputs[index].check("outputs[\(index)]", shape: expected)
            try arguments.outputs[index].checkDisjoint("outputs[\(index)]")
        }
    }

    /// A BatchNorm that uses the statistics of the batch needs two values per channel, as in PyTorch.
    borrowing func checkBatchStatistics(_ plan: borrowing Plan, imageCount: Int) throws(BackboneError) {
        for index in 0..<plan.steps.count {
            let step = plan.steps[index]
            guard let norm = step.step.norm, let target = step.target else { continue }
            let tensor = plan.tensors[target]
            if usesBatchStatistics(node: norm) && imageCount == 1 && tensor.height == 1 && tensor.width == 1 {
                throw oneValue(norm, tensor.channels)
            }
        }
    }

    /// The error for a norm that gets a single value per channel.
    borrowing func oneValue(_ norm: Int, _ channels: Int) -> BackboneError {
        BackboneError(
            .invalidArgument,
            "expected more than 1 value per channel when training: \(graph.name(ofNode: norm)) gets 1 x \(channels) x 1 x 1"
        )
    }
}
