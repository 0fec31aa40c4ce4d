// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The state dict that a caller wants; a nil part is found by the names.
package struct StateDictSelection {
    /// The keys that lead to the dict of tensors, joined by dots.
    package var key: Bytes?
    /// The prefix of the network's names.
    package var prefix: Bytes?

    package init(key: Bytes? = nil, prefix: Bytes? = nil) {
        self.key = key
        self.prefix = prefix
    }
}

/// The dict of tensors of the network in a file, the prefix of its names, and their grammar.
struct StateDictChoice: ~Copyable {
    let candidate: Int
    let prefix: UniqueArray<UInt8>
    /// Index of the grammar.
    let grammar: Int

    private init(_ place: NamePlace) throws(BackboneError) {
        candidate = place.candidate
        grammar = place.grammar
        var prefix = UniqueArray<UInt8>()
        try prefix.append(place.prefix)
        self.prefix = prefix
    }

    /// Chooses by structure: exactly one place of all candidates must hold the landmarks of a grammar. Places that hold
    /// the same tensors under several names are one.
    ///
    /// If none does, as in a file of a few layers, the names must have the given prefix, "module." or none, and exactly
    /// one candidate must have any name of a grammar.
    ///
    /// - Throws: `invalidArgument` if the requested key or prefix is missing, `badCheckpoint` if the choice
    ///   is not clear, naming what the file has in both cases; `outOfMemory`.
    static func choose(
        from candidates: borrowing UniqueArray<Candidate>, _ selection: StateDictSelection,
        _ grammars: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) -> StateDictChoice {
        let range = try candidatesWanted(candidates, selection.key)
        let wanted = try completed(selection.prefix)
        let isPrefixGiven = selection.prefix != nil
        var places = UniqueArray<NamePlace>()
        for index in range { try NamePlace.findAll(in: candidates[index], at: index, grammars, to: &places) }
        var fitting = UniqueArray<NamePlace>()
        for index in 0..<places.count where !isPrefixGiven || equal(places[index].prefix, wanted.elements) {
            try fitting.append(places[index])
        }
        if fitting.count > 1 { fitting = try distinct(fitting, candidates, grammars) }
        if fitting.count == 1 { return try StateDictChoice(fitting[0]) }
        guard fitting.isEmpty else { throw ambiguous(fitting, candidates) }

        for index in range {
            let likely = try NamePlace.mostLikely(
                in: candidates[index], at: index, grammars, prefix: isPrefixGiven ? wanted.elements : nil)
            if likely.score > 0 { try fitting.append(likely.place) }
        }
        if fitting.count == 1 { return try StateDictChoice(fitting[0]) }
        guard fitting.isEmpty else { throw ambiguous(fitting, candidates) }
        if isPrefixGiven { throw absentPrefix(wanted.elements, places, candidates) }
        for index in range {
            try fitting.append(try NamePlace.mostLikely(in: candidates[index], at: index, grammars, prefix: nil).place)
        }
        // Matching then reports that no name belongs to the network.
        if fitting.count == 1 { return try StateDictChoice(fitting[0]) }
        throw ambiguous(fitting, candidates)
    }

    /// The places with different tensors: of places with the same tensors only the one with the most names, and among
    /// equals the one with the shortest prefix.
    private static func distinct(
        _ places: borrowing UniqueArray<NamePlace>, _ candidates: borrowing UniqueArray<Candidate>,
        _ grammars: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) -> UniqueArray<NamePlace> {
        var contents = UniqueArray<PlaceContents>()
        try contents.reserve(places.count)
        for place in places.elements {
            contents.appendReserved(try PlaceContents(place, candidates[place.candidate], grammars))
        }
        var result = UniqueArray<NamePlace>()
        for index in 0..<places.count {
            var isRepeated = false
            for other in 0..<places.count where other != index {
                if contents[index].isRepeated(by: contents[other], isFirst: index < other) { isRepeated = true }
            }
            if !isRepeated { try result.append(places[index]) }
        }
        return result
    }

    /// The candidates with the given key; all without one.
    private static func candidatesWanted(
        _ candidates: borrowing UniqueArray<Candidate>, _ key: Bytes?
    ) throws(BackboneError) -> Range<Int> {
        guard let key else { return 0..<candidates.count }
        for index in 0..<candidates.count where equal(candidates[index].key.elements, key) { return index..<index + 1 }
        var message: Message = "key is '\(key)', expected the key of a dict of tensors: "
        for index in 0..<candidates.count {
            let separator: StaticString = index == 0 ? "" : ", "
            message = "\(message)\(separator)\(describe(candidates[index]))"
        }
        throw BackboneError(.invalidArgument, message)
    }

    /// A prefix with its last dot, which callers may leave out.
    private static func completed(_ prefix: Bytes?) throws(BackboneError) -> UniqueArray<UInt8> {
        var result = UniqueArray<UInt8>()
        guard let prefix, let last = prefix.last else { return result }
        try result.append(prefix)
        if last != UInt8(ascii: ".") && last != UInt8(ascii: "/") { try result.append(".") }
        return result
    }

    private static func describe(_ candidate: borrowing Candidate) -> Message {
        candidate.key.isEmpty ? "'' (the object itself)" : "'\(candidate.key.elements)'"
    }

    private static func ambiguous(
        _ places: borrowing UniqueArray<NamePlace>, _ candidates: borrowing UniqueArray<Candidate>
    ) -> BackboneError {
        var message: Message = places.count == 2 ? "it has two state dicts" : "it has \(places.count) state dicts"
        for index in 0..<places.count {
            let separator: StaticString = index == 0 ? ", under " : index == places.count - 1 ? " and " : ", "
            message = "\(message)\(separator)\(describe(candidates[places[index].candidate]))"
            let prefix = places[index].prefix
            if !prefix.isEmpty { message = "\(message) (prefix '\(prefix)')" }
        }
        return BackboneError(.badCheckpoint, "\(message); choose one by its key and prefix")
    }

    private static func absentPrefix(
        _ prefix: Bytes, _ places: borrowing UniqueArray<NamePlace>, _ candidates: borrowing UniqueArray<Candidate>
    ) -> BackboneError {
        var message: Message = "prefix is '\(prefix)', with which no name of the network begins"
        for index in 0..<places.count {
            let separator: StaticString = index == 0 ? "; found: " : ", "
            message =
                "\(message)\(separator)'\(places[index].prefix)' under \(describe(candidates[places[index].candidate]))"
        }
        if places.isEmpty, candidates.count > 0, candidates[0].count > 0 {
            message = "\(message); the first name is '\(candidates[0][0])'"
        }
        return BackboneError(.invalidArgument, message)
    }
}
