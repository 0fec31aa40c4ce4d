// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// How an optimiser updates parameters: the arguments of PyTorch's `SGD` and `AdamW` except the learning rate, which is
/// an argument of each step.
package struct OptimizerOptions: ~Copyable {
    package enum Kind: Int32, BitwiseCopyable, Sendable {
        case sgd = 0
        case adamW = 1
    }

    package var kind: Kind
    // Options of SGD.
    package var momentum = 0.0
    package var dampening = 0.0
    package var isNesterov = false
    // Options of AdamW.
    package var beta1 = 0.9
    package var beta2 = 0.999
    package var epsilon = 1e-8

    /// Weight decay of parameters outside of all groups.
    package var weightDecay: Double
    package var groups = ParameterGroups()

    /// PyTorch's defaults.
    package init(_ kind: Kind) {
        self.kind = kind
        weightDecay = kind == .sgd ? 0 : 1e-2
    }

    /// - Throws: `invalidArgument` that names the option, as PyTorch checks it.
    func check() throws(BackboneError) {
        try checkNotNegative(weightDecay, "weight_decay")
        switch kind {
        case .sgd:
            try checkNotNegative(momentum, "momentum")
            guard Float(dampening).isFinite else {
                throw BackboneError(.invalidArgument, "dampening is \(dampening), expected a finite number")
            }
            guard !isNesterov || momentum > 0 && dampening == 0 else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    nesterov is 1, which needs a momentum above 0 and a dampening of 0, but momentum is \(momentum) and \
                    dampening is \(dampening)
                    """)
            }
        case .adamW:
            try checkShare(beta1, "beta1")
            try checkShare(beta2, "beta2")
            try checkNotNegative(epsilon, "epsilon")
        }
        try groups.check()
    }

    /// Whether it keeps an average of each gradient.
    var hasAverages: Bool { kind == .adamW || momentum != 0 }

    /// The learning rate and the weight decay of a group; of the parameters outside of all groups if it is
    /// `groups.count`.
    func rates(_ learningRate: Double, group: Int) -> (learningRate: Double, weightDecay: Double) {
        guard group < groups.count else { return (learningRate, weightDecay) }
        return (learningRate * groups[group].rateFactor, groups[group].weightDecay)
    }
}

/// - Throws: `invalidArgument` unless a number is at least 0 and finite as a Float.
func checkNotNegative(_ value: Double, _ name: StaticString) throws(BackboneError) {
    guard value >= 0 && Float(value).isFinite else {
        throw BackboneError(.invalidArgument, "\(name) is \(value), expected a finite number that is at least 0")
    }
}

private func checkShare(_ value: Double, _ name: StaticString) throws(BackboneError) {
    guard value >= 0 && value < 1 else {
        throw BackboneError(.invalidArgument, "\(name) is \(value), expected at least 0 and less than 1")
    }
}
