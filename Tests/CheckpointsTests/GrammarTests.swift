// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// Grammars of networks that nobody has: patterns do not know any network.
struct GrammarTests {
    private static let grammar = NameGrammar(
        name: "towers",
        table: """
            place root.weight floor0.room1.weight
            *_history -
            root.* root.*
            floor{f-1}.room{r}.wall{w:a}.* f{f}.r{r}.w{w}.*
            floor{f-1}.room{r} f{f}.r{r}
            shaft{z} lift{z+2}
            """,
        shared: """
            field f 1 3
            field r 5 5
            apart roof.
            """)

    /// Our name for a file's; nil for unknown names, "-" for unused ones.
    private func translated(_ name: String) throws -> String? {
        let rules = try NameRules(GrammarTests.grammar)
        var name = name
        return try name.withUTF8 { name in
            var out = UniqueArray<UInt8>()
            switch try rules.translate(name, to: &out) {
            case .unknown, .verbatim: return nil
            case .dropped: return "-"
            case .known: return String(decoding: out.elements, as: UTF8.self)
            }
        }
    }

    @Test(
        arguments: [
            ("root.weight", "root.weight"), ("root.", nil), ("floor0.room5", "f1.r5"), ("floor2.room5", "f3.r5"),
            ("floor2.room5.wallc.x.y", "f3.r5.w3.x.y"), ("floor1.room5.wallz.a", "f2.r5.w26.a"),
            ("shaft0", "lift2"), ("shaft9999", "lift10001"), ("root.weight_history", "-"),
            // Beyond the ranges, and no numbers.
            ("floor3.room5", nil), ("floor0.room4", nil), ("floor0.room6", nil), ("floor00.room5", nil),
            ("shaft10000", nil), ("shaft", nil), ("floor1.room5.wallA.a", nil), ("floor1.room5.wall1.a", nil),
            ("floor1.room5.walla", nil), ("xroot.weight", nil),
        ] as [(String, String?)])
    func translates(name: String, expected: String?) throws {
        #expect(try translated(name) == expected)
    }

    @Test func landmarksAndWhatIsApartAreData() throws {
        let rules = try NameRules(GrammarTests.grammar)
        #expect(rules.places.count == 1)
        #expect(equal(rules.places[0].first, "root.weight") && equal(rules.places[0].second, "floor0.room1.weight"))
        #expect(rules.isApart(bytes(of: "roof.weight")) && !rules.isApart(bytes(of: "root.weight")))
    }

    /// An invalid pattern fits nothing, and does not end the process.
    @Test(arguments: ["{S} a", "{ a", "{} a", "{s", "{s+ a", "field s", "field S 1 2", "field s x y", "place", "apart"])
    func damagedLinesDoNoHarm(line: String) throws {
        var rules = try NameRules(.verbatim)
        var line = line
        try line.withUTF8 { try rules.add($0) }
        var out = UniqueArray<UInt8>()
        _ = try rules.translate(bytes(of: "1"), to: &out)
    }
}
