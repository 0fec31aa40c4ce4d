// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// What the choice among several state dicts is made by: names alone. Their numbers are looked for when one is chosen.
extension PickledCheckpoint {
    /// The names of the tensors in a candidate: those in a dict are borrowed from the pickle, those of a module from the
    /// entries that are added to `modules`. Names that are too long are cut; they are an error if the candidate is chosen.
    ///
    /// - Parameter effort: of all walks through modules, to which this one is added.
    func names(
        of candidate: Candidates.Candidate, _ modules: inout UniqueArray<ModuleEntries>,
        _ effort: inout ModuleWalk.Effort
    ) throws(BackboneError) -> UniqueArray<Bytes> {
        var names = UniqueArray<Bytes>()
        guard pickle[candidate.value].kind == .dict else {
            var walk = try ModuleWalk(candidate.value, after: effort)
            try modules.append(walk.run(self))
            effort = walk.effort
            let module = modules.count - 1
            for index in 0..<modules[module].values.count
            where pickle[modules[module].values[index]].kind == .tensor {
                try names.append(modules[module].name(index))
            }
            return names
        }
        var pair = pickle[candidate.value].first
        while pair != PickleValue.none && names.count <= Limits.tensors {
            let entry = pickle.pairs[Int(pair)]
            pair = entry.next
            guard pickle[entry.value].kind == .tensor, let name = pickle.string(entry.key) else { continue }
            try names.append(name.slice(0, min(name.count, Limits.nameBytes)))
        }
        return names
    }

    /// What the file says of where its weights are from.
    var origin: Origin {
        guard let value = pickle.value(of: "__author__", in: pickle.root), let author = pickle.string(value) else {
            return .unknown
        }
        return Origin(author: author)
    }
}
