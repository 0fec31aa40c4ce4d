// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The state dicts of a checkpoint: what in it holds tensors under names.
struct Candidates: ~Copyable {
    struct Candidate {
        /// A dict that holds a tensor under a string key, or a module.
        let value: UInt32
        /// How many keys lead to it; 0 for the checkpoint itself.
        let depth: Int
        fileprivate let path: TextRange
    }

    private(set) var list = UniqueArray<Candidate>()
    private var text = UniqueArray<UInt8>()

    /// The keys that lead to a candidate, joined by dots: "model.state_dict"; "" for the checkpoint itself.
    func path(_ candidate: Candidate) -> Bytes { text.elements.slice(candidate.path) }

    fileprivate mutating func add(_ value: UInt32, _ place: Place, _ path: Bytes) throws(BackboneError) {
        let start = text.count
        try text.append(path)
        let range = TextRange(start: UInt32(start), count: UInt32(path.count))
        try list.append(Candidate(value: value, depth: place.depth, path: range))
    }

    /// A value that may hold more, and the text of its path.
    fileprivate struct Place {
        var value: UInt32
        var depth: Int
        var path: TextRange
    }
}

extension PickledCheckpoint {
    /// Looks for state dicts: in the checkpoint itself, and under string keys in its dicts down to a depth of
    /// `Limits.candidateDepth`. Outer ones come first, then the order of the file counts. What is found in two places
    /// is listed once.
    ///
    /// - Throws: `badCheckpoint` that says what there is if there is none; `outOfMemory`.
    func candidates() throws(BackboneError) -> Candidates {
        guard pickle[pickle.root].kind == .dict || isModule(pickle.root) else {
            throw BackboneError(
                .badCheckpoint,
                "it holds \(pickle.describe(pickle.root)), not a state dict; save model.state_dict() instead")
        }
        var candidates = Candidates()
        // Every dict is looked into once, however many keys lead to it.
        var isSeen = try UniqueArray<Bool>(repeating: false, count: pickle.values.count)
        var queue = UniqueArray<Candidates.Place>()
        var paths = UniqueArray<UInt8>()
        try queue.append(Candidates.Place(value: pickle.root, depth: 0, path: TextRange()))
        isSeen[Int(pickle.root)] = true
        var next = 0
        var objects = 0
        while next < queue.count {
            let place = queue[next]
            next += 1
            if isStateDict(place.value) {
                try candidates.add(place.value, place, paths.elements.slice(place.path))
                guard candidates.list.count < Limits.candidates else { break }
            }
            guard pickle[place.value].kind == .dict, place.depth < Limits.candidateDepth else { continue }
            var pair = pickle[place.value].first
            while pair != PickleValue.none {
                let entry = pickle.pairs[Int(pair)]
                pair = entry.next
                guard let key = pickle.string(entry.key), key.count <= Limits.nameBytes, !isSeen[Int(entry.value)]
                else { continue }
                isSeen[Int(entry.value)] = true
                if pickle[entry.value].kind == .opaque { objects += 1 }
                guard
                    pickle[entry.value].kind == .dict
                        || objects <= Limits.candidateObjects && isModule(entry.value)
                else { continue }
                let path = try append(key, to: place.path, in: &paths)
                try queue.append(Candidates.Place(value: entry.value, depth: place.depth + 1, path: path))
            }
        }
        guard candidates.list.count > 0 else {
            throw BackboneError(.badCheckpoint, "it holds no state dict: \(pickle.contents(of: pickle.root))")
        }
        return candidates
    }

    private func append(
        _ key: Bytes, to path: TextRange, in paths: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> TextRange {
        let start = paths.count
        guard start <= Limits.candidatePathBytes else {
            throw BackboneError(
                .badCheckpoint, "the keys of its dicts have more than \(Limits.candidatePathBytes) bytes")
        }
        for index in 0..<Int(path.count) { try paths.append(paths[Int(path.start) + index]) }
        if path.count > 0 { try paths.append(".") }
        try paths.append(key)
        return TextRange(start: UInt32(start), count: UInt32(paths.count - start))
    }

    /// Whether a value is a module or a dict that holds a tensor under a string key.
    private func isStateDict(_ value: UInt32) -> Bool {
        guard pickle[value].kind == .dict else { return isModule(value) }
        var pair = pickle[value].first
        while pair != PickleValue.none {
            let entry = pickle.pairs[Int(pair)]
            if pickle[entry.key].kind == .string && isTensor(entry.value) { return true }
            pair = entry.next
        }
        return false
    }

    /// Whether a value is a tensor or an array; a single number of NumPy, such as an accuracy, does not tell a state
    /// dict.
    private func isTensor(_ value: UInt32) -> Bool {
        guard pickle[value].kind == .tensor else { return false }
        let tensor = pickle.tensors[Int(pickle[value].first)]
        guard case .bytes = pickle.storages[Int(tensor.storage)].source else { return true }
        return pickle[tensor.sizes].second > 0
    }
}
