// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension PickledCheckpoint {
    /// Keys under which checkpoints keep their state dict beside other things.
    private static var wrapperCount: Int { 2 }
    private static func wrapper(_ index: Int) -> StaticString { index == 0 ? "state_dict" : "model" }

    /// Chooses the state dict that is meant: the one under a well-known key, or the checkpoint itself.
    ///
    /// - Returns: it, and that key or "".
    /// - Throws: `badCheckpoint` if there is none or more than one.
    func chooseStateDict(
        _ candidates: borrowing Candidates
    ) throws(BackboneError) -> (candidate: Candidates.Candidate, wrapper: StaticString) {
        guard pickle[pickle.root].kind == .dict || isModule(pickle.root) else {
            throw BackboneError(
                .badCheckpoint,
                "it holds \(pickle.describe(pickle.root)), not a state dict; save model.state_dict() instead")
        }
        var found: (candidate: Candidates.Candidate, wrapper: StaticString)?
        for index in 0..<candidates.list.count where candidates.list[index].depth == 1 {
            for number in 0..<PickledCheckpoint.wrapperCount {
                let wrapper = PickledCheckpoint.wrapper(number)
                guard equal(candidates.path(candidates.list[index]), wrapper) else { continue }
                if let found {
                    throw BackboneError(
                        .badCheckpoint, "it holds two state dicts, under '\(found.wrapper)' and '\(wrapper)'")
                }
                found = (candidates.list[index], wrapper)
            }
        }
        if let found { return found }
        if candidates.list.count > 0, candidates.list[0].depth == 0 { return (candidates.list[0], "") }
        throw BackboneError(.badCheckpoint, "it holds no state dict: \(pickle.contents(of: pickle.root))")
    }
}
