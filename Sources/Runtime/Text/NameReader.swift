// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Parses a name from left to right.
@usableFromInline package struct NameReader {
    @usableFromInline let name: Bytes
    @usableFromInline var position = 0

    /// - Parameter name: borrowed.
    @inlinable package init(_ name: Bytes) { self.name = name }

    /// Whether the whole name has been read.
    @inlinable package var isAtEnd: Bool { position == name.count }

    /// The unread rest.
    @inlinable package var rest: Bytes { name.slice(position, name.count - position) }

    /// The next character; nil at the end.
    @inlinable package var next: UInt8? { position < name.count ? name[position] : nil }

    /// Reads a character if it comes next.
    @inlinable package mutating func take(_ character: UInt8) -> Bool {
        guard next == character else { return false }
        position += 1
        return true
    }

    /// Reads a text if it comes next.
    @inlinable package mutating func take(_ text: StaticString) -> Bool {
        guard rest.hasPrefix(text) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    /// Reads a decimal number without leading zeros.
    @inlinable package mutating func number(in range: ClosedRange<Int>) -> Int? {
        let start = position
        var value = 0
        while position < name.count, position - start < 4 {
            let digit = Int(name[position]) - Int(UInt8(ascii: "0"))
            guard digit >= 0 && digit <= 9 else { break }
            value = 10 * value + digit
            position += 1
        }
        let count = position - start
        guard count > 0, count == 1 || name[start] != UInt8(ascii: "0"), range.contains(value) else {
            position = start
            return nil
        }
        return value
    }
}
