// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// Updates the trainable parameters of a network from their gradients, as PyTorch's `SGD` and `AdamW` do.
package struct Optimizer: ~Copyable {
    package let options: OptimizerOptions
    let kernels: OptimizerKernels
    /// The caller's identity of the layout of the gradients: steps must pass the same.
    package private(set) var layoutID: UInt64
    package internal(set) var state: OptimizerState

    /// An optimiser before its first step.
    ///
    /// - Parameters:
    ///   - layoutID: changes whenever other entries of the network become trainable.
    ///   - kernels: of any table: all give the same bits.
    /// - Throws: `invalidArgument` naming the option at fault, or if nothing is trainable; `outOfMemory`.
    package init(
        _ network: borrowing Network, _ options: consuming OptimizerOptions, layoutID: UInt64,
        kernels: OptimizerKernels
    ) throws(BackboneError) {
        try options.check()
        let state = try OptimizerState(network, options)
        self.options = options
        self.layoutID = layoutID
        self.kernels = kernels
        self.state = state
    }

    /// Adapts to the parameters that are trainable now, and keeps the state of those that were trainable before. The
    /// others begin at their first gradient, as in PyTorch.
    ///
    /// - Throws: `invalidArgument` if nothing is trainable, `outOfMemory`; nothing has changed then.
    package mutating func follow(_ network: borrowing Network, layoutID: UInt64) throws(BackboneError) {
        var next = try OptimizerState(network, options)
        next.copy(from: state)
        state = next
        self.layoutID = layoutID
    }

    /// - Throws: `stale` if the trainable entries of the network have changed since the optimiser was created.
    func checkLayout(_ network: borrowing Network, _ layoutID: UInt64) throws(BackboneError) {
        guard layoutID == self.layoutID, state.layout.fits(network) else {
            throw BackboneError(
                .stale,
                """
                the trainable parameters have changed since the optimizer was created; call backbone_optimizer_follow \
                after freezing
                """)
        }
    }

    /// The learning rate and the weight decay of a parameter.
    func rates(_ learningRate: Double, slot: Int) -> (learningRate: Double, weightDecay: Double) {
        options.rates(learningRate, group: state.progress[slot].group)
    }
}
