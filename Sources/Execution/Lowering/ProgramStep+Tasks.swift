// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// The kernel tasks of steps that compute whole images, with activations from anywhere.
extension ProgramStep {
    func blur(_ input: Activation, to output: Activation) -> BlurTask {
        BlurTask(size: window.size, stride: window.stride, padding: window.padding, input: input, output: output)
    }

    func linear(_ input: Activation, to output: Activation, _ network: borrowing Network) -> LinearTask {
        LinearTask(
            inputCount: input.channels, outputCount: channels, input: UnsafePointer(input.origin),
            weights: network.values(.weight, ofNode: node), bias: network.values(.bias, ofNode: node),
            output: output.origin)
    }

    func channelConvolution(
        _ input: Activation, to output: Activation, _ network: borrowing Network
    ) -> ChannelConvolutionTask {
        let entry = network.graph.entry(.weight, ofNode: node).unsafelyUnwrapped
        return ChannelConvolutionTask(
            size: entry.elementCount, weights: network.values(.weight, ofNode: node), input: input, output: output)
    }

    /// - Parameters:
    ///   - scale: One pixel; nil for none.
    ///   - residual: The added tensor; nil for none.
    func elementwise(
        _ input: Activation, scale: Activation?, residual: Activation?, to output: Activation
    ) -> ElementwiseTask {
        ElementwiseTask(
            input: input, scale: scale.map { UnsafePointer($0.origin) }, residual: residual,
            function: ElementwiseFunction(function), output: output)
    }

    /// Nil if the step has no GroupNorm.
    func groupNormalization(
        _ input: Activation, residual: Activation?, to output: Activation, _ network: borrowing Network
    ) -> GroupNormalizationTask? {
        guard let norm, case .groupNorm(let definition) = network.graph.nodes[norm].operation else { return nil }
        return GroupNormalizationTask(
            input: input, groups: definition.groups, epsilon: definition.epsilon,
            weight: network.values(.weight, ofNode: norm), bias: network.values(.bias, ofNode: norm),
            residual: residual, relu: function == .relu, output: output)
    }
}

extension ElementwiseFunction {
    init(_ function: Nonlinearity?) {
        switch function {
        case .relu: self = .relu
        case .silu: self = .silu
        case .sigmoid: self = .sigmoid
        case nil: self = .none
        }
    }
}
