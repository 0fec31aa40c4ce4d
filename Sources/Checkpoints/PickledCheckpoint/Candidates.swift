// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The state dicts of a checkpoint: its containers of named tensors.
struct Candidates: ~Copyable {
    struct Candidate {
        /// A dict or list of pairs that holds a tensor under a text, or a module.
        let value: UInt32
        /// The number of keys that lead to it; 0 for the checkpoint itself.
        let depth: Int
        fileprivate let path: TextRange
    }

    private(set) var list = UniqueArray<Candidate>()
    private var text = UniqueArray<UInt8>()

    /// The keys that lead to a candidate, joined by dots: "model.state_dict"; "" for the checkpoint itself. Integers and
    /// positions in lists are keys too: "models.0".
    func path(_ candidate: Candidate) -> Bytes { text.elements.slice(candidate.path) }

    /// Adds a candidate whose path was appended to `text` from `start` on.
    fileprivate mutating func add(_ value: UInt32, depth: Int, from start: Int) throws(BackboneError) {
        let range = TextRange(start: UInt32(start), count: UInt32(text.count - start))
        try list.append(Candidate(value: value, depth: depth, path: range))
    }

    /// Appends one key of a path.
    fileprivate mutating func append(key: Bytes, from start: Int) throws(BackboneError) {
        if text.count > start { try text.append(".") }
        try text.append(key)
    }

    fileprivate var textCount: Int { text.count }
}

extension PickledCheckpoint {
    /// Looks for state dicts: in the checkpoint itself, and in the dicts, lists, tuples and objects in it, down to a
    /// depth of `Limits.candidateDepth`. Outer ones come first, then those in the order of the file. One that is found
    /// in two places is listed once.
    ///
    /// - Throws: `badCheckpoint` that says what the file has, if it has none; `outOfMemory`.
    func candidates() throws(BackboneError) -> Candidates {
        var search = try CandidateSearch(self)
        try search.run(self)
        let candidates = search.finish()
        if candidates.list.count > 0 { return candidates }
        guard pickle[pickle.root].kind == .dict else {
            throw BackboneError(
                .badCheckpoint,
                "it contains \(pickle.describe(pickle.root)), expected a state dict; save model.state_dict()")
        }
        throw BackboneError(
            .badCheckpoint, "it has no state dict; save model.state_dict(). Found: \(pickle.contents(of: pickle.root))")
    }
}

/// Visits everything in a checkpoint, each container once, however many paths lead to it.
private struct CandidateSearch: ~Copyable {
    /// A container or object, and its path.
    private struct Place {
        enum KeyKind: UInt8 { case none, name, number, position }

        var value: UInt32
        /// Index in `queue`.
        var parent = PickleValue.none
        /// A value, or a position in a list or tuple.
        var key = PickleValue.none
        var keyKind = KeyKind.none
        var depth: UInt8 = 0
    }

    private var queue = UniqueArray<Place>()
    private var isSeen: UniqueArray<Bool>
    private var found = Candidates()
    /// The number of candidates without any name of several parts, such as an optimizer's state of one parameter.
    private var plainCount = 0
    /// Items of tuples looked at: tuples may share their items.
    private var tupleItems = 0

    init(_ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) {
        isSeen = try UniqueArray(repeating: false, count: checkpoint.pickle.values.count)
    }

    consuming func finish() -> Candidates { found }

    mutating func run(_ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) {
        try enqueue(Place(value: checkpoint.pickle.root), checkpoint)
        var next = 0
        while next < queue.count && found.list.count < Limits.candidates {
            let value = queue[next].value
            if checkpoint.pickle[value].kind == .opaque {
                try look(intoObject: value, at: next, checkpoint)
            } else {
                _ = try look(into: value, at: next, mayBeStateDict: true, checkpoint)
            }
            next += 1
        }
    }

    private mutating func enqueue(_ place: Place, _ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) {
        guard !isSeen[Int(place.value)] else { return }
        isSeen[Int(place.value)] = true
        let value = checkpoint.pickle[place.value]
        switch value.kind {
        case .dict, .list, .opaque: if value.first != PickleValue.none { try queue.append(place) }
        case .tuple: if value.second > 0 { try queue.append(place) }
        default: return
        }
    }

    /// Visits the values of an object of an unknown class. Its items, its attributes and, if it is made of a single
    /// value, the members of that keep their keys.
    private mutating func look(
        intoObject value: UInt32, at index: Int, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        guard let object = checkpoint.pickle.object(value) else { return }
        if let attributes = checkpoint.attributes(of: object), !isSeen[Int(attributes)], checkpoint.isModule(value) {
            isSeen[Int(attributes)] = true
            return try add(value, at: index, checkpoint)
        }
        let parts = checkpoint.parts(of: object)
        var isStateDict = false
        for position in 0..<5 where parts[position] != PickleValue.none && !isSeen[Int(parts[position])] {
            if checkpoint.pickle[parts[position]].kind == .opaque {
                var place = queue[index]
                place.value = parts[position]
                try enqueue(place, checkpoint)
                continue
            }
            isSeen[Int(parts[position])] = true
            // Some classes keep their items as attributes too.
            if try look(into: parts[position], at: index, mayBeStateDict: !isStateDict, checkpoint) {
                isStateDict = true
            }
        }
    }

    /// Visits a dict, list or tuple.
    ///
    /// - Returns: whether it is a state dict.
    private mutating func look(
        into container: UInt32, at index: Int, mayBeStateDict: Bool, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Bool {
        if checkpoint.pickle[container].kind == .tuple {
            tupleItems += Int(checkpoint.pickle[container].second)
            guard tupleItems <= Limits.candidateTupleItems else { return false }
        }
        guard var members = PickleMembers(of: container, in: checkpoint.pickle) else { return false }
        var isStateDict = false
        if mayBeStateDict { isStateDict = try addStateDict(container, members, at: index, checkpoint) }
        let depth = queue[index].depth
        guard depth < UInt8(Limits.candidateDepth) else { return isStateDict }
        while let (key, value) = members.next(in: checkpoint.pickle) {
            var place = Place(value: value, parent: UInt32(index), depth: depth + 1)
            switch key {
            case .position(let position): (place.key, place.keyKind) = (UInt32(position), .position)
            case .value(let key):
                switch checkpoint.pickle[key].kind {
                case .string:
                    guard let name = checkpoint.pickle.string(key), name.count <= Limits.nameBytes else { continue }
                    (place.key, place.keyKind) = (key, .name)
                case .integer: (place.key, place.keyKind) = (key, .number)
                default: continue
                }
            }
            try enqueue(place, checkpoint)
        }
        return isStateDict
    }

    /// Adds a container that holds a tensor under a text.
    private mutating func addStateDict(
        _ container: UInt32, _ members: PickleMembers, at index: Int, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Bool {
        var members = members
        var hasTensor = false
        var hasParts = false
        while !hasParts, let (key, value) = members.nextNamed(in: checkpoint.pickle) {
            guard checkpoint.pickle.isTensor(value) else { continue }
            hasTensor = true
            // A hostile file may have one long name many times.
            let name = checkpoint.pickle.string(key).map { $0.slice(0, min($0.count, 128)) }
            if let name { hasParts = name.contains(UInt8(ascii: ".")) || name.contains(UInt8(ascii: "/")) }
        }
        guard hasTensor else { return false }
        if !hasParts {
            // An optimizer has a dict for each parameter, under its number: {0: {"exp_avg": ...}}.
            guard queue[index].keyKind != .number, plainCount < Limits.plainCandidates else { return false }
            plainCount += 1
        }
        try add(container, at: index, checkpoint)
        return true
    }

    private mutating func add(
        _ value: UInt32, at index: Int, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        let start = found.textCount
        var way: [256 of UInt32] = .init(repeating: 0)
        var count = 0
        var position = UInt32(index)
        while position != PickleValue.none, queue[Int(position)].keyKind != .none, count < 256 {
            way[count] = position
            count += 1
            position = queue[Int(position)].parent
        }
        while count > 0 {
            count -= 1
            let place = queue[Int(way[count])]
            var number = UniqueArray<UInt8>()
            switch place.keyKind {
            case .name:
                if let key = checkpoint.pickle.string(place.key) { try found.append(key: key, from: start) }
                continue
            case .number: try number.append(message: "\(checkpoint.pickle.integer(place.key) ?? 0)")
            case .position: try number.append(message: "\(Int(place.key))")
            case .none: continue
            }
            try found.append(key: number.elements, from: start)
        }
        try found.add(value, depth: Int(queue[index].depth), from: start)
    }
}
