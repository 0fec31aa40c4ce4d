// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Names and other text as they lie in a file or a table.
package typealias Bytes = UnsafeBufferPointer<UInt8>

/// Orders bytes by value, a prefix before what continues it: negative, zero or positive.
package func compare(_ a: Bytes, _ b: Bytes) -> Int {
    guard let first = a.baseAddress, let second = b.baseAddress else { return a.count - b.count }
    // The same bytes need no look: a hostile pickle may use one long string as every key.
    let order = first == second ? 0 : Int(memcmp(first, second, min(a.count, b.count)))
    return order != 0 ? order : a.count - b.count
}

/// Where a text lies in a table of bytes: what tables keep instead of pointers. 32 bits suffice for all of them, see
/// `Limits`.
struct TextRange {
    var start: UInt32 = 0
    var count: UInt32 = 0
}

package func equal(_ a: Bytes, _ b: Bytes) -> Bool { a.count == b.count && compare(a, b) == 0 }

package func equal(_ a: Bytes, _ text: StaticString) -> Bool { equal(a, bytes(of: text)) }

package func bytes(of text: StaticString) -> Bytes {
    Bytes(start: text.utf8Start, count: text.utf8CodeUnitCount)
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// Bytes `start ..< start + count`, which the caller has checked to exist.
    package func slice(_ start: Int, _ count: Int) -> Bytes {
        precondition(start >= 0 && count >= 0 && start <= self.count && count <= self.count - start)
        return Bytes(start: baseAddress.map { $0 + start }, count: count)
    }

    func slice(_ range: TextRange) -> Bytes { slice(Int(range.start), Int(range.count)) }

    package func hasPrefix(_ prefix: StaticString) -> Bool {
        let prefix = bytes(of: prefix)
        return count >= prefix.count && equal(slice(0, prefix.count), prefix)
    }

    package func hasPrefix(_ prefix: Bytes) -> Bool {
        count >= prefix.count && equal(slice(0, prefix.count), prefix)
    }

    package func hasSuffix(_ suffix: StaticString) -> Bool {
        let suffix = bytes(of: suffix)
        return count >= suffix.count && equal(slice(count - suffix.count, suffix.count), suffix)
    }

    func hasSuffix(_ suffix: Bytes) -> Bool {
        count >= suffix.count && equal(slice(count - suffix.count, suffix.count), suffix)
    }

    func contains(_ byte: UInt8) -> Bool {
        for index in 0..<count where self[index] == byte { return true }
        return false
    }

    /// Whether this is well-formed UTF-8 (Unicode 15, table 3-7) without a zero byte: what can be handed on as a C
    /// string.
    var isText: Bool {
        var index = 0
        while index < count {
            let lead = self[index]
            index += 1
            if lead == 0 { return false }
            if lead < 0x80 { continue }
            var low: UInt8 = 0x80
            var high: UInt8 = 0xbf
            let following: Int
            switch lead {
            case 0xc2...0xdf: following = 1
            case 0xe0...0xef:
                following = 2
                if lead == 0xe0 { low = 0xa0 }  // no overlong forms
                if lead == 0xed { high = 0x9f }  // no surrogates
            case 0xf0...0xf4:
                following = 3
                if lead == 0xf0 { low = 0x90 }
                if lead == 0xf4 { high = 0x8f }  // nothing above U+10FFFF
            default: return false
            }
            guard following <= count - index else { return false }
            for position in 0..<following {
                let byte = self[index + position]
                guard byte >= low && byte <= high else { return false }
                low = 0x80
                high = 0xbf
            }
            index += following
        }
        return true
    }
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// Takes what stands before the first `separator`, which goes too; all if there is none.
    package mutating func takePart(before separator: UInt8) -> Bytes {
        var end = 0
        while end < count && self[end] != separator { end += 1 }
        let part = slice(0, end)
        let next = Swift.min(end + 1, count)
        self = slice(next, count - next)
        return part
    }

    /// Takes the next word, and the spaces around it; nothing at the end.
    package mutating func takeWord() -> Bytes {
        var word = takePart(before: UInt8(ascii: " "))
        while word.isEmpty && !isEmpty { word = takePart(before: UInt8(ascii: " ")) }
        return word
    }
}

/// The value of a hexadecimal digit, nil if it is none.
func hexadecimalDigit(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}

extension UniqueArray where Element == UInt8 {
    mutating func append(_ text: StaticString) throws(BackboneError) {
        try append(bytes(of: text))
    }

    mutating func append(message text: Message) throws(BackboneError) {
        for index in 0..<text.count { try append(text[index]) }
    }
}
