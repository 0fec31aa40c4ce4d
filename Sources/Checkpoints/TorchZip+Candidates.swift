// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension TorchZip {
    /// A dict that was met on the way through the pickled object, by its value's index.
    struct Dict: ~Copyable {
        let value: UInt32
        /// The keys that lead to it, joined by dots.
        let key: UniqueArray<UInt8>
        let depth: Int
    }

    /// Dicts are looked at no deeper than "a.b.c": a state dict lies near the surface.
    private static var deepest: Int { 3 }
    /// Dicts that are looked at.
    private static var limit: Int { 256 }

    /// Finds every dict of tensors, the shallowest first, and the index of its value.
    ///
    /// - Throws: `badCheckpoint` that says what there is if there is none; `outOfMemory`.
    func findCandidates(
        to candidates: inout UniqueArray<Candidate>, values: inout UniqueArray<UInt32>
    ) throws(BackboneError) {
        let root = UInt32(pickle.root)
        guard pickle[root].kind == .dict else {
            throw BackboneError(
                .badCheckpoint, "it holds \(pickle.describe(root)), not a state dict; save model.state_dict() instead")
        }
        var dicts = UniqueArray<Dict>()
        try dicts.append(Dict(value: root, key: UniqueArray(), depth: 0))
        var position = 0
        while position < dicts.count {
            let value = dicts[position].value
            var names = UniqueArray<Bytes>()
            var key = UniqueArray<UInt8>()
            try key.append(dicts[position].key.elements)
            let depth = dicts[position].depth
            try visit(value, key.elements, depth, names: &names, dicts: &dicts)
            if names.count > 0 {
                try candidates.append(try Candidate(key: key, names: names))
                try values.append(value)
            }
            position += 1
        }
        guard candidates.count > 0 else {
            throw BackboneError(.badCheckpoint, "it holds no state dict: \(contents(of: root))")
        }
    }

    /// Collects the names of the tensors in a dict, and the dicts in it.
    private func visit(
        _ dict: UInt32, _ key: Bytes, _ depth: Int, names: inout UniqueArray<Bytes>, dicts: inout UniqueArray<Dict>
    ) throws(BackboneError) {
        var pair = pickle[dict].first
        while pair != PickleValue.none {
            let entry = pickle.pairs[Int(pair)]
            pair = entry.next
            guard let name = pickle.string(entry.key) else { continue }
            switch pickle[entry.value].kind {
            case .tensor where names.count <= Limits.tensors:
                // Names that are too long are an error if this dict is chosen.
                try names.append(name.slice(0, min(name.count, Limits.nameBytes)))
            case .dict
            where depth < TorchZip.deepest && dicts.count < TorchZip.limit && name.count <= Limits.nameBytes:
                var isKnown = false
                for index in 0..<dicts.count where dicts[index].value == entry.value { isKnown = true }
                if isKnown { continue }
                var path = UniqueArray<UInt8>()
                try path.append(key)
                if depth > 0 { try path.append(".") }
                try path.append(name)
                try dicts.append(Dict(value: entry.value, key: path, depth: depth + 1))
            default: continue
            }
        }
    }

    /// What the file says of where its weights are from.
    var origin: Origin {
        let root = UInt32(pickle.root)
        guard let value = pickle.value(of: "__author__", in: root), let author = pickle.string(value) else {
            return .unknown
        }
        return Origin(author: author)
    }

    /// What a message says of a dict without tensors.
    private func contents(of dict: UInt32) -> Message {
        var text: Message = "there are no tensors in it"
        var pair = pickle[dict].first
        var count = 0
        while pair != PickleValue.none && count < 5 {
            let entry = pickle.pairs[Int(pair)]
            if let key = pickle.string(entry.key) {
                let separator: StaticString = count == 0 ? "; " : ", "
                text = "\(text)\(separator)'\(key)' is \(pickle.describe(entry.value))"
                count += 1
            }
            pair = entry.next
        }
        return text
    }
}
