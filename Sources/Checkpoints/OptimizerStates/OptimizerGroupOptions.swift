// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// An option of PyTorch's SGD and AdamW that changes the result of a step, except the learning rate, which schedules
/// change anyway.
package enum OptimizerOption: BitwiseCopyable, Sendable {
    case momentum, dampening, nesterov, weightDecay, beta1, beta2, epsilon, maximize, decoupledWeightDecay

    package static var all: [9 of OptimizerOption] {
        [.momentum, .dampening, .nesterov, .weightDecay, .beta1, .beta2, .epsilon, .maximize, .decoupledWeightDecay]
    }

    /// Its key in a group.
    package var key: StaticString {
        switch self {
        case .momentum: "momentum"
        case .dampening: "dampening"
        case .nesterov: "nesterov"
        case .weightDecay: "weight_decay"
        case .beta1, .beta2: "betas"
        case .epsilon: "eps"
        case .maximize: "maximize"
        case .decoupledWeightDecay: "decoupled_weight_decay"
        }
    }
}

/// A file's options for a group of parameters.
package struct OptimizerGroupOptions: BitwiseCopyable, Sendable {
    /// NaN if the file has no such number.
    private var values = InlineArray<9, Double>(repeating: .nan)

    init(_ group: UInt32, _ pickle: borrowing Pickle) {
        let all = OptimizerOption.all
        for index in all.indices {
            guard var value = pickle.value(of: all[index].key, in: group) else { continue }
            switch all[index] {
            case .beta1, .beta2:
                guard let pair = pickle.pair(value) else { continue }
                value = all[index] == .beta1 ? pair.key : pair.value
            default: break
            }
            values[index] = pickle.number(value) ?? .nan
        }
    }

    /// Number `index` of `OptimizerOption.all`, 0 and 1 for False and True; nil if the file has none.
    package subscript(index: Int) -> Double? { values[index].isNaN ? nil : values[index] }
}
