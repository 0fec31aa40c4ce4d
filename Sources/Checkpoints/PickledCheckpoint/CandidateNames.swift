// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The state of the listing of a checkpoint's candidates, kept between candidates.
struct CandidateListing: ~Copyable {
    /// The owners of the names of modules, which are nowhere in the file.
    fileprivate var modules = UniqueArray<ModuleEntries>()
    /// The effort of all walks through modules so far.
    fileprivate var effort = ModuleWalk.Effort()
    fileprivate var identities = IdentityFinder()

    init() {}
}

// The input for the choice among several state dicts: names, and which of them name the same tensor. Their values are
// only read for the chosen one.
extension PickledCheckpoint {
    /// The tensors of a candidate by name, including unsupported ones: names in a dict are borrowed from the pickle,
    /// those of a module from the listing. Names that are too long are cut; they are an error if the candidate is
    /// chosen.
    func tensors(
        of candidate: Candidates.Candidate, _ listing: inout CandidateListing
    ) throws(BackboneError) -> UniqueArray<NamedTensor> {
        var tensors = UniqueArray<NamedTensor>()
        guard var members = PickleMembers(of: candidate.value, in: pickle) else {
            var walk = try ModuleWalk(candidate.value, after: listing.effort)
            try listing.modules.append(walk.run(self))
            listing.effort = walk.effort
            let module = listing.modules.count - 1
            for index in 0..<listing.modules[module].values.count {
                let value = listing.modules[module].values[index]
                guard pickle[value].kind == .tensor || pickle[value].kind == .unread else { continue }
                let identity = try listing.identities.identity(of: value, in: self)
                try tensors.append(NamedTensor(name: listing.modules[module].name(index), identity: identity))
            }
            return tensors
        }
        while tensors.count <= Limits.tensors, let (key, value) = members.nextNamed(in: pickle) {
            guard pickle[value].kind == .tensor || pickle[value].kind == .unread, let name = pickle.string(key) else {
                continue
            }
            let identity = try listing.identities.identity(of: value, in: self)
            try tensors.append(
                NamedTensor(name: name.slice(0, min(name.count, Limits.nameBytes)), identity: identity))
        }
        return tensors
    }

    /// The origin of the weights, as marked in the file.
    var origin: Origin {
        guard let value = pickle.value(of: "__author__", in: pickle.root), let author = pickle.string(value) else {
            return .unknown
        }
        return Origin(author: author)
    }
}
