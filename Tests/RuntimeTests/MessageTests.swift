// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Runtime

/// What a message makes of bytes that may be anything. Swift's own decoder says what is UTF-8.
@Suite struct MessageTests {
    private func bytes(_ message: Message) -> [UInt8] { (0..<message.count).map { message[$0] } }

    private func text(_ message: Message) throws -> String {
        try #require(String(validating: bytes(message), as: UTF8.self), "\(bytes(message))")
    }

    private func message(_ bytes: [UInt8]) -> Message {
        bytes.withUnsafeBufferPointer { "\($0)" }
    }

    @Test(arguments: ["", "weight", "Gewicht_ä", "重み", "веса", "🧠🦴", "a\u{301}é", "\u{10FFFF}\u{E000}\u{FFFD}"])
    func textStaysAsItIs(given: String) throws {
        #expect(try text(message(Array(given.utf8))) == given)
        #expect(try given.withCString { try text("\($0)") } == given)
    }

    @Test(
        arguments: [
            // A byte that continues nothing, sequences that end early, overlong ones, surrogates, beyond Unicode.
            ([0x61, 0x80, 0x62], "a?b"), ([0xc3], "?"), ([0xc3, 0x41], "?A"), ([0xe3, 0x81], "??"),
            ([0xf0, 0x9f, 0xa7, 0x78], "???x"), ([0xc0, 0xaf], "??"), ([0xe0, 0x80, 0xaf], "???"),
            ([0xed, 0xa0, 0x80], "???"), ([0xf4, 0x90, 0x80, 0x80], "????"), ([0xf5, 0x80], "??"),
            ([0xff, 0xfe], "??"),
            // Control characters, of one byte and of two.
            ([0x0a, 0x1b, 0x7f], "???"), ([0xc2, 0x85], "?"), ([0xc2, 0xa0], "\u{a0}"),
        ] as [([UInt8], String)])
    func whatIsNoTextBecomesQuestionMarks(given: [UInt8], expected: String) throws {
        #expect(try text(message(given)) == expected)
        #expect(try text("<\(message(given))>") == "<\(expected)>")
        let terminated = given.map { CChar(bitPattern: $0) } + [0]
        #expect(try terminated.withUnsafeBufferPointer { try text("\($0.baseAddress)") } == expected)
    }

    @Test func numbersHaveAPoint() throws {
        let cases: [(Double, String)] = [
            (0.1, "0.1"), (-1, "-1"), (Double(Float(0.1)), "0.100000001"), (1e39, "1e+39"), (.infinity, "inf"),
            (0, "0"),
        ]
        for (number, expected) in cases { #expect(try text("<\(number)>") == "<\(expected)>") }
        #expect(try text("\(Double.nan)").hasSuffix("nan"))
    }

    /// Wherever the end falls, and whatever follows what had no room.
    @Test(arguments: ["é", "重", "🧠"], 0..<4)
    func isCutBetweenCharacters(character: String, offset: Int) throws {
        let given = String(repeating: "x", count: offset) + String(repeating: character, count: 600)
        let whole = (Message.capacity - offset) / character.utf8.count
        let expected = String(repeating: "x", count: offset) + String(repeating: character, count: whole)
        let cut = message(Array(given.utf8))
        #expect(try text(cut) == expected)
        #expect(try text("\(cut) and more") == expected + String(" and more".prefix(Message.capacity - cut.count)))
        #expect(try given.withCString { try text("\($0) and more") } == expected)
    }

    @Test func anyBytesGiveText() throws {
        var random = SystemRandomNumberGenerator()
        var seed = UInt64.random(in: 0 ... .max, using: &random)
        let first = seed
        for _ in 0..<2000 {
            let given = (0..<Int(seed % 700)).map { _ in
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Mostly such as begin and continue characters.
                return seed >> 60 < 3
                    ? UInt8(truncatingIfNeeded: seed >> 40) : 0x80 | UInt8(truncatingIfNeeded: seed >> 33)
            }
            let result = message(given)
            #expect(String(validating: bytes(result), as: UTF8.self) != nil, "seed \(first)")
            #expect(result.count <= Message.capacity)
        }
    }
}
