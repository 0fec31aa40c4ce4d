// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The parsed lines of a grammar.
struct NameRules: ~Copyable {
    /// Landmarks: two names that every network of the grammar has.
    struct Place: BitwiseCopyable {
        let first: Bytes
        let second: Bytes
        /// Names that a network of another grammar has there; empty if no name has it.
        let absent: (Bytes, Bytes)
    }

    private struct Rule: BitwiseCopyable {
        let pattern: Bytes
        let ours: Bytes
        /// Whether the project has no such names.
        let isReadOnly: Bool
    }

    /// The class of a name.
    enum Translation {
        /// A name outside of a network.
        case unknown
        /// An unused name of a network.
        case dropped
        /// A name of anything else next to a network, unchanged.
        case verbatim
        /// A name of a network, or of anything inside it.
        case known
    }

    let grammar: NameGrammar
    private(set) var places = UniqueArray<Place>()
    private var rules = UniqueArray<Rule>()
    private var ranges = NameFieldRanges()
    /// Prefixes of our names that do not distinguish networks.
    private var apart = UniqueArray<Bytes>()

    init(_ grammar: NameGrammar) throws(BackboneError) {
        self.grammar = grammar
        try add(bytes(of: grammar.table))
        try add(bytes(of: grammar.shared))
    }

    /// Adds the lines of a table.
    mutating func add(_ table: Bytes) throws(BackboneError) {
        var rest = table
        while !rest.isEmpty {
            var line = rest.takePart(before: UInt8(ascii: "\n"))
            let word = line.takeWord()
            if word.isEmpty { continue }
            if equal(word, "place") {
                let (first, second) = (line.takeWord(), line.takeWord())
                let absent = (NameRules.absentName(&line), NameRules.absentName(&line))
                try places.append(Place(first: first, second: second, absent: absent))
            } else if equal(word, "field") {
                ranges.add(&line)
            } else if equal(word, "apart") {
                try apart.append(line.takeWord())
            } else {
                let ours = line.takeWord()
                let isReadOnly = ours.hasPrefix("~")
                try rules.append(
                    Rule(
                        pattern: word, ours: isReadOnly ? ours.slice(1, ours.count - 1) : ours, isReadOnly: isReadOnly))
            }
        }
    }

    /// Reads "!OTHER" from a line; empty at its end.
    private static func absentName(_ line: inout Bytes) -> Bytes {
        let word = line.takeWord()
        return word.isEmpty ? word : word.slice(1, word.count - 1)
    }

    /// Whether one of our names does not distinguish networks.
    func isApart(_ name: Bytes) -> Bool {
        for start in apart.elements where name.hasPrefix(start) { return true }
        return false
    }

    /// Appends the name that a file of this grammar has for one of our names; false if no such name would be read back
    /// as ours.
    func spell(_ ours: Bytes, to out: inout UniqueArray<UInt8>) throws(BackboneError) -> Bool {
        var fields = NameFields()
        var back = UniqueArray<UInt8>()
        for rule in rules.elements
        where !rule.isReadOnly && !equal(rule.pattern, "*") && fields.read(ours, pattern: rule.ours, ranges) {
            let start = out.count
            try fields.write(rule.pattern, to: &out)
            back.removeAll()
            let spelled = out.elements.slice(start, out.count - start)
            if try translate(spelled, to: &back) == .known && equal(back.elements, ours) { return true }
            while out.count > start { _ = out.removeLast() }
        }
        return false
    }

    /// Appends our name for a name of the file, without its prefix.
    func translate(_ name: Bytes, to out: inout UniqueArray<UInt8>) throws(BackboneError) -> Translation {
        var fields = NameFields()
        for rule in rules.elements where fields.read(name, pattern: rule.pattern, ranges) {
            if equal(rule.ours, "-") { return .dropped }
            try fields.write(rule.ours, to: &out)
            return equal(rule.pattern, "*") ? .verbatim : .known
        }
        return .unknown
    }
}
