// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Tables are written as texts, one row a line with words between spaces.
extension UnsafeBufferPointer where Element == UInt8 {
    /// Removes the text up to and including the first `separator`, or all of it, and returns the part before the
    /// separator.
    package mutating func takePart(before separator: UInt8) -> Bytes {
        let end = position(of: separator) ?? count
        let part = slice(0, end)
        let next = Swift.min(end + 1, count)
        self = slice(next, count - next)
        return part
    }

    /// Removes and returns the next word, with the spaces around it; empty at the end.
    package mutating func takeWord() -> Bytes {
        var word = takePart(before: UInt8(ascii: " "))
        while word.isEmpty && !isEmpty { word = takePart(before: UInt8(ascii: " ")) }
        return word
    }
}
