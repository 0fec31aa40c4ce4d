// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Runtime

/// Names and other texts as bytes.
struct TextTests {
    private func with<Result>(_ text: String, _ body: (Bytes) throws -> Result) rethrows -> Result {
        var text = text
        return try text.withUTF8 { try body($0) }
    }

    private func string(_ bytes: Bytes) -> String { String(decoding: bytes, as: UTF8.self) }

    private static let texts = [
        "", "a", "b", "ab", "aa", "abc", "a.b", "layer1.0", "layer1.0.conv1", "layer10", "\u{e9}",
    ]

    @Test func orderIsThatOfTheBytes() {
        for a in TextTests.texts {
            for b in TextTests.texts {
                let expected =
                    a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : b.utf8.lexicographicallyPrecedes(a.utf8) ? 1 : 0
                with(a) { first in
                    with(b) { second in
                        #expect(compare(first, second).signum() == expected, "\(a) \(b)")
                        #expect(equal(first, second) == (a == b))
                        #expect(first.hasPrefix(second) == a.utf8.starts(with: b.utf8))
                        #expect(first.hasSuffix(second) == a.utf8.reversed().starts(with: b.utf8.reversed()))
                    }
                }
            }
        }
    }

    @Test func textsAreComparedWithTwoPartsAsWithTheirSum() {
        for text in TextTests.texts {
            for whole in TextTests.texts {
                with(text) { text in
                    with(whole) { whole in
                        for cut in 0...whole.count {
                            let order = compare(text, whole.slice(0, cut), whole.slice(cut, whole.count - cut))
                            #expect(order.signum() == compare(text, whole).signum())
                        }
                    }
                }
            }
        }
    }

    @Test func literalsAreComparedAsTexts() {
        with("conv1.weight") { name in
            #expect(equal(name, "conv1.weight") && !equal(name, "conv1.weigh") && !equal(name, "conv1.weighs"))
            #expect(name.hasPrefix("conv1.") && name.hasPrefix("") && !name.hasPrefix("conv2"))
            #expect(name.hasSuffix(".weight") && !name.hasSuffix("x.conv1.weight"))
            #expect(name.contains(UInt8(ascii: ".")) && !name.contains(UInt8(ascii: "/")))
        }
    }

    @Test func zerosAreSeen() {
        for count in 0..<20 {
            var bytes = [UInt8](repeating: 0, count: count)
            #expect(bytes.withUnsafeBufferPointer { $0.areZeros })
            for index in 0..<count {
                bytes[index] = 1
                #expect(!bytes.withUnsafeBufferPointer { $0.areZeros })
                bytes[index] = 0
            }
        }
    }

    @Test func tablesAreTakenApart() {
        with("  one  two\nthree\n") { text in
            var rest = text
            var line = rest.takePart(before: UInt8(ascii: "\n"))
            #expect(string(line.takeWord()) == "one" && string(line.takeWord()) == "two" && line.takeWord().isEmpty)
            #expect(string(rest.takePart(before: UInt8(ascii: "\n"))) == "three")
            #expect(rest.isEmpty && rest.takePart(before: UInt8(ascii: "\n")).isEmpty)
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("007", 7), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("", nil), ("-", nil), ("+1", nil),
            ("1 ", nil),
            ("99999999999999999999", nil),
        ] as [(String, Int?)])
    func decimalNumbers(text: String, expected: Int?) {
        #expect(with(text) { decimal($0) } == expected)
    }

    @Test func namesAreTakenApart() {
        with("layer3.07.12345") { name in
            var reader = NameReader(name)
            #expect(!reader.take("layers") && reader.take("layer"))
            #expect(reader.number(in: 4...9) == nil && reader.number(in: 0...9) == 3)
            #expect(reader.take(UInt8(ascii: ".")) && !reader.isAtEnd)
            // Numbers have no leading zeros, and at most four digits.
            #expect(reader.number(in: 0...9) == nil && string(reader.rest) == "07.12345")
            #expect(reader.take("07.") && reader.number(in: 0...99999) == 1234 && reader.next == UInt8(ascii: "5"))
            #expect(reader.take(UInt8(ascii: "5")) && reader.isAtEnd && reader.next == nil)
        }
    }

    @Test func textIsWellFormedUTF8() {
        func isText(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBufferPointer { $0.isText } }
        // All one- and two-byte sequences, and longer ones around every border, against the standard library.
        for a in UInt8.min...UInt8.max {
            for b in UInt8.min...UInt8.max {
                let expected = String(validating: [a, b], as: UTF8.self) != nil && a != 0 && b != 0
                if isText([a, b]) != expected { Issue.record("\(a) \(b)") }
            }
        }
        let borders: [UInt8] = [0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xf5]
        for lead in UInt8(0xdf)...0xff {
            for b in borders {
                for c in borders {
                    for bytes in [[lead, b, c], [lead, b, c, 0x80], [lead, b, 0x80, c]] {
                        let expected = String(validating: bytes, as: UTF8.self) != nil
                        if isText(bytes) != expected { Issue.record("\(bytes)") }
                    }
                }
            }
        }
        #expect(isText([]))
    }
}
