// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Takes a name apart from left to right.
package struct NameReader {
    private let name: Bytes
    private var position = 0

    /// Numbers that a block can have in a stage; the deepest ResNets have 36.
    package static var blocks: ClosedRange<Int> { 0...999 }

    package init(_ name: Bytes) { self.name = name }

    var isAtEnd: Bool { position == name.count }

    /// What has not been taken yet.
    package var rest: Bytes { name.slice(position, name.count - position) }

    /// The next character; nil at the end.
    var next: UInt8? { position < name.count ? name[position] : nil }

    /// Takes a character if it comes next.
    mutating func take(_ character: UInt8) -> Bool {
        guard next == character else { return false }
        position += 1
        return true
    }

    /// Takes a text if it comes next.
    package mutating func take(_ text: StaticString) -> Bool {
        guard rest.hasPrefix(text) else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    /// Takes a decimal number without leading zeros.
    package mutating func number(in range: ClosedRange<Int>) -> Int? {
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

extension UniqueArray where Element == UInt8 {
    /// Removes all but the first elements.
    mutating func truncate(to count: Int) {
        while self.count > count { _ = removeLast() }
    }
}
