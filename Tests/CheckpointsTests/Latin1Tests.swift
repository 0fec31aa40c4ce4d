// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Checkpoints

/// What Swift's strings write as UTF-8 becomes what it was.
struct Latin1Tests {
    private let characters: [UInt8] = (0..<1500).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 2_654_435 >> 5) }

    private func utf8(_ characters: [UInt8]) -> [UInt8] {
        var text = ""
        for character in characters { text.unicodeScalars.append(Unicode.Scalar(character)) }
        return Array(text.utf8)
    }

    private func decode(_ bytes: [UInt8], after previous: UInt8 = 0) -> [UInt8]? {
        var out = [UInt8](repeating: 0, count: bytes.count)
        let count = decodeLatin1(bytes, count: bytes.count, after: previous, to: &out)
        return count.map { Array(out.prefix($0)) }
    }

    @Test func everyPlaceToDivideIt() throws {
        let bytes = utf8(characters)
        #expect(bytes.count > 2000 && decode(bytes) == characters)
        for place in [1, 2, 3, 15, 16, 17, 511, 512, 513, 514, 1024, 1025, bytes.count - 1] {
            let head = try #require(decode(Array(bytes[..<place])))
            let tail = try #require(decode(Array(bytes[place...]), after: bytes[place - 1]))
            #expect(head + tail == characters, "\(place)")
        }
    }

    /// Every pair of bytes is decoded as Swift does.
    @Test func nothingElseIsTaken() {
        for first in 0...255 as ClosedRange<UInt8> {
            for second in 0...255 as ClosedRange<UInt8> {
                let text = String(validating: [first, second], as: UTF8.self)
                var expected: [UInt8]?
                if let text, text.unicodeScalars.allSatisfy({ $0.value < 256 }) {
                    expected = text.unicodeScalars.map { UInt8($0.value) }
                }
                // What is incomplete is seen when nothing follows.
                if first < 0x80 && second & 0xfe == 0xc2 { expected = [first] }
                #expect(decode([first, second]) == expected, "\(first) \(second)")
            }
        }
    }
}
