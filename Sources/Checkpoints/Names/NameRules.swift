// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A grammar, taken apart into its lines.
struct NameRules: ~Copyable {
    /// Names that every network of the grammar has, one of the stem and one of the first stage.
    struct Place: BitwiseCopyable {
        let stem: Bytes
        let stage: Bytes
        /// A name that a network of another grammar has there; empty if there is none such.
        let absent: Bytes
    }

    private struct Rule: BitwiseCopyable {
        let pattern: Bytes
        let ours: Bytes
    }

    /// What a name is.
    enum Translation {
        /// Of no network.
        case unknown
        /// Of a network, without a use.
        case dropped
        /// Of whatever else stands beside a network, under its own name.
        case verbatim
        /// Of a network, or of what stands inside it.
        case known
    }

    let grammar: NameGrammar
    private(set) var places = UniqueArray<Place>()
    private var rules = UniqueArray<Rule>()

    init(_ grammar: NameGrammar) throws(BackboneError) {
        self.grammar = grammar
        var rest = bytes(of: grammar.table)
        while !rest.isEmpty {
            var line = rest.takePart(before: UInt8(ascii: "\n"))
            let first = line.takeWord()
            let second = line.takeWord()
            if first.isEmpty { continue }
            if equal(first, "place") {
                let third = line.takeWord()
                let other = line.takeWord()
                try places.append(
                    Place(stem: second, stage: third, absent: other.isEmpty ? other : other.slice(1, other.count - 1)))
            } else {
                try rules.append(Rule(pattern: first, ours: second))
            }
        }
    }

    /// Appends our name for a name of the file, without its prefix.
    func translate(_ name: Bytes, to out: inout UniqueArray<UInt8>) throws(BackboneError) -> Translation {
        for rule in rules.elements {
            guard let fields = NameFields(name, pattern: rule.pattern) else { continue }
            if equal(rule.ours, "-") { return .dropped }
            try fields.write(rule.ours, to: &out)
            return equal(rule.pattern, "*") ? .verbatim : .known
        }
        return .unknown
    }
}
