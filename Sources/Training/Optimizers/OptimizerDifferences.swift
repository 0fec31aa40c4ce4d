// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

extension OptimizerOptions {
    /// Warnings for a file saved with other options than these, which stay in use: a line for each option.
    func differences(
        from file: borrowing OptimizerDict, _ order: borrowing ParameterOrder, _ graph: borrowing Graph
    ) throws(BackboneError) -> UniqueArray<Message> {
        var warnings = UniqueArray<Message>()
        let all = OptimizerOption.all
        for index in all.indices {
            var position = 0
            var warning: Message?
            for group in 0..<file.groups.count {
                let end = position + file.groups[group]
                defer { position = end }
                guard warning == nil, let saved = file.options[group][index] else { continue }
                for position in position..<end where warning == nil {
                    let entry = graph.entries[order.entries[position]]
                    let own = value(of: all[index], decay: saved, group: groups.group(of: entry, in: graph))
                    // A caller may have stored either of them as a Float.
                    guard let own, Float(own) != Float(saved) else { continue }
                    warning = """
                        the optimizer state was saved with \(all[index].key) \(saved) for '\(graph.name(of: entry))', \
                        and continues with \(own): options in files are ignored
                        """
                }
            }
            if let warning { try warnings.append(warning) }
        }
        return warnings
    }

    /// The value of an option for a group; nil if it does not matter.
    private func value(of option: OptimizerOption, decay: Double, group: Int) -> Double? {
        switch (option, kind) {
        case (.momentum, .sgd): momentum
        case (.dampening, .sgd): momentum == 0 ? nil : dampening
        case (.nesterov, .sgd): isNesterov ? 1 : 0
        case (.beta1, .adamW): beta1
        case (.beta2, .adamW): beta2
        case (.epsilon, .adamW): epsilon
        case (.weightDecay, _): rates(0, group: group).weightDecay
        case (.maximize, _): 0
        case (.decoupledWeightDecay, .adamW): rates(0, group: group).weightDecay == 0 ? nil : 1
        default: nil
        }
    }
}
