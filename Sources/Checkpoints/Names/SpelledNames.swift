// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Our names in the spelling of a grammar's files.
package struct SpelledNames: ~Copyable {
    private var text = UniqueArray<UInt8>()
    private var names = UniqueArray<TextRange>()
    /// Whether any differs from our spelling.
    private var differs = false
    private let rules: NameRules

    package init(_ grammar: NameGrammar) throws(BackboneError) { rules = try NameRules(grammar) }

    /// Adds the spelling of one of our names; an empty one if the grammar has none and the tensor can be left out.
    ///
    /// - Throws: `invalidArgument` naming it if the grammar has none otherwise; `outOfMemory`.
    package mutating func append(_ name: Bytes, mayBeAbsent: Bool) throws(BackboneError) {
        let start = text.count
        let isSpelled = try rules.spell(name, to: &text)
        guard isSpelled || mayBeAbsent else {
            throw BackboneError(
                .invalidArgument,
                "names is '\(rules.grammar.name)', which has no name for '\(name)'; pass NULL for PyTorch's names")
        }
        try names.append(TextRange(start: UInt32(start), count: UInt32(text.count - start)))
        if !equal(self[names.count - 1], name) { differs = true }
    }

    /// - Throws: `invalidArgument` if a file with these names would not reveal their grammar.
    package func checkLandmarks() throws(BackboneError) {
        guard differs else { return }
        for place in rules.places.elements
        where contains(place.first) && contains(place.second) && !contains(place.absent.0) && !contains(place.absent.1)
        {
            return
        }
        throw BackboneError(
            .invalidArgument,
            "names is '\(rules.grammar.name)', which does not fit this network; pass NULL for PyTorch's names")
    }

    private func contains(_ name: Bytes) -> Bool {
        for range in names.elements where range.count > 0 && equal(text.elements.slice(range), name) { return true }
        return false
    }

    /// The spelling of the added name `index`. Valid until the next one is added.
    package subscript(index: Int) -> Bytes { text.elements.slice(names[index]) }
}
