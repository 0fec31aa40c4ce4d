// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A name or other text in a file or a table; it need not be UTF-8.
@usableFromInline package typealias Bytes = UnsafeBufferPointer<UInt8>

// Inlinable, as a file compares each of its names with many others: calls were a tenth of a load of 60,000 names.

/// Orders bytes by value, a prefix before its continuations: negative, zero or positive.
@inlinable package func compare(_ a: Bytes, _ b: Bytes) -> Int {
    guard let first = a.baseAddress, let second = b.baseAddress else { return a.count - b.count }
    // The same bytes need no comparison: a hostile pickle may use one long string as every key.
    let order = first == second ? 0 : Int(memcmp(first, second, min(a.count, b.count)))
    return order != 0 ? order : a.count - b.count
}

/// Orders a text relative to the concatenation of two parts, without concatenating them.
@inlinable package func compare(_ text: Bytes, _ first: Bytes, _ second: Bytes) -> Int {
    let order = compare(text.slice(0, min(text.count, first.count)), first)
    if order != 0 { return order }
    return compare(text.slice(first.count, text.count - first.count), second)
}

/// Whether two texts are the same bytes.
@inlinable package func equal(_ a: Bytes, _ b: Bytes) -> Bool { a.count == b.count && compare(a, b) == 0 }

/// Whether a text equals a literal.
@inlinable package func equal(_ a: Bytes, _ text: StaticString) -> Bool { equal(a, bytes(of: text)) }

/// The borrowed bytes of a C string, without its terminating zero. It has a label of its own: were it `bytes(of:)`, a
/// literal would choose it rather than the one for literals, and become a pointer that dangles.
package func bytes(ofCString text: UnsafePointer<CChar>) -> Bytes {
    Bytes(start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self), count: strlen(text))
}

/// The bytes of a literal, which live as long as the library.
@inlinable package func bytes(of text: StaticString) -> Bytes {
    Bytes(start: text.utf8Start, count: text.utf8CodeUnitCount)
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// Bytes `start ..< start + count`, which the caller has checked to exist.
    @inlinable package func slice(_ start: Int, _ count: Int) -> Bytes {
        precondition(start >= 0 && count >= 0 && start <= self.count && count <= self.count - start)
        return Bytes(start: baseAddress.map { $0 + start }, count: count)
    }

    /// Whether a text begins with a literal.
    @inlinable package func hasPrefix(_ prefix: StaticString) -> Bool { hasPrefix(bytes(of: prefix)) }

    /// Whether a text begins with another.
    @inlinable package func hasPrefix(_ prefix: Bytes) -> Bool {
        count >= prefix.count && equal(slice(0, prefix.count), prefix)
    }

    /// Whether a text ends with a literal.
    @inlinable package func hasSuffix(_ suffix: StaticString) -> Bool { hasSuffix(bytes(of: suffix)) }

    /// Whether a text ends with another.
    @inlinable package func hasSuffix(_ suffix: Bytes) -> Bool {
        count >= suffix.count && equal(slice(count - suffix.count, suffix.count), suffix)
    }

    /// The first position of a byte; nil if it does not occur.
    package func position(of byte: UInt8) -> Int? {
        for index in 0..<count where self[index] == byte { return index }
        return nil
    }

    /// Whether a byte is among these.
    package func contains(_ byte: UInt8) -> Bool { position(of: byte) != nil }

    /// Whether all bytes are zero.
    package var areZeros: Bool {
        guard let start = baseAddress, count > 0 else { return true }
        // The first is, and each equals the next.
        return start[0] == 0 && memcmp(start, start + 1, count - 1) == 0
    }

    /// Whether this is well-formed UTF-8 without a zero byte: it can be passed on as a C string.
    package var isText: Bool {
        var index = 0
        while index < count {
            let start = index
            // Nearly all of it is ASCII.
            if self[start] < 0x80 {
                if self[start] == 0 { return false }
                index += 1
                continue
            }
            guard let length = UTF8Scanner.length({ start + $0 < count ? self[start + $0] : nil }) else { return false }
            index += length
        }
        return true
    }
}
