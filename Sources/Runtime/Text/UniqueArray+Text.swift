// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Texts are built in arrays of bytes, as a `String` would end the process when memory runs out.
extension UniqueArray where Element == UInt8 {
    /// Appends a literal.
    package mutating func append(_ text: StaticString) throws(BackboneError) { try append(bytes(of: text)) }

    /// Appends a message: a number, or a text with numbers in it.
    package mutating func append(message text: Message) throws(BackboneError) {
        for index in 0..<text.count { try append(text[index]) }
    }

    /// Removes all but the first bytes.
    package mutating func truncate(to count: Int) {
        while self.count > count { _ = removeLast() }
    }
}
