// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// What the choice among several state dicts is made by.
extension PickledCheckpoint {
    /// The names of the tensors in a candidate: those in a dict are borrowed from the pickle, those of a module from the
    /// catalog that is added to `catalogs`. Names that are too long are cut; they are an error if the candidate is chosen.
    func names(
        of candidate: Candidates.Candidate, _ catalogs: inout UniqueArray<TensorCatalog>,
        _ effort: inout ModuleWalk.Effort
    ) throws(BackboneError) -> UniqueArray<Bytes> {
        var names = UniqueArray<Bytes>()
        guard pickle[candidate.value].kind == .dict else {
            try catalogs.append(catalog(of: candidate, &effort))
            let catalog = catalogs.count - 1
            for index in 0..<catalogs[catalog].entries.count where catalogs[catalog].entries[index].isTensor {
                try names.append(catalogs[catalog].name(index))
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
