// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Finds the characters of arbitrary bytes: paths, and names in hostile files, need not be UTF-8.
enum UTF8Scanner {
    /// The bytes of the character at the start of a text; nil if they are not valid, by the table of well-formed
    /// sequences (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing beyond U+10FFFF, no truncated
    /// sequences.
    ///
    /// - Parameter byte: The byte at an index, nil after the end; it is asked no further than necessary.
    @inline(__always)
    static func length(_ byte: (Int) -> UInt8?) -> Int? {
        guard let lead = byte(0) else { return nil }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xbf
        switch lead {
        case 0x00...0x7f: return 1
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: length = 4
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return nil
        }
        for index in 1..<length {
            let range = index == 1 ? second : 0x80...0xbf
            guard let next = byte(index), range.contains(next) else { return nil }
        }
        return length
    }

    /// Whether a byte can only be inside a character.
    static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }
}
