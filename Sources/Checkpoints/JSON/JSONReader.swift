// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Reads the few things of JSON (RFC 8259) that the headers of safetensors files and the indices of shards consist of.
/// It reads from front to back, without recursion. The caller has checked that the bytes are UTF-8.
struct JSONReader {
    private var reader: ByteReader

    init(_ bytes: Bytes) {
        reader = ByteReader(bytes)
    }

    var position: Int { reader.position }

    mutating func skipSpace() {
        while let byte = reader.next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
            _ = reader.uint8()
        }
    }

    var isAtEnd: Bool { reader.remaining == 0 }

    /// The next byte that is not a space; nil at the end.
    var next: UInt8? {
        mutating get {
            skipSpace()
            return reader.next
        }
    }

    /// Skips a value of any kind. Nested values are counted, not checked.
    ///
    /// - Returns: false if none comes next.
    mutating func skipValue() throws(BackboneError) -> Bool {
        var depth = 0
        var text = UniqueArray<UInt8>()
        repeat {
            guard let byte = next else { return false }
            switch byte {
            case UInt8(ascii: "\""):
                text.removeAll()
                guard try string(to: &text) else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                _ = reader.uint8()
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                guard depth >= 0 else { return false }
                _ = reader.uint8()
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { return false }
                _ = reader.uint8()
            default:
                guard takeLiteral() else { return false }
            }
        } while depth > 0
        return true
    }

    /// Reads a number, true, false or null.
    private mutating func takeLiteral() -> Bool {
        let start = reader.position
        while let byte = reader.next {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                _ = reader.uint8()
            default: return reader.position > start
            }
        }
        return reader.position > start
    }

    /// Reads a punctuation mark if it comes next.
    mutating func take(_ mark: Unicode.Scalar) -> Bool {
        skipSpace()
        guard let byte = reader.next, UInt32(byte) == mark.value else { return false }
        _ = reader.uint8()
        return true
    }

    /// A number without sign, fraction or exponent that fits an Int.
    mutating func natural() -> Int? {
        skipSpace()
        var value: Int?
        while let byte = reader.next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            // No leading zeros.
            if value == 0 { return nil }
            guard let tenfold = checkedProduct(value ?? 0, 10),
                let larger = checkedSum(tenfold, Int(byte - UInt8(ascii: "0")))
            else { return nil }
            value = larger
            _ = reader.uint8()
        }
        return value
    }

    /// A string without its quotes and escapes, appended to `text`.
    ///
    /// - Returns: false if none comes next.
    mutating func string(to text: inout UniqueArray<UInt8>) throws(BackboneError) -> Bool {
        guard take("\"") else { return false }
        while let byte = reader.uint8() {
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\") {
                guard let scalar = escape() else { return false }
                try append(scalar, to: &text)
            } else {
                try text.append(byte)
            }
        }
        return false
    }

    /// The characters after a backslash.
    private mutating func escape() -> UInt32? {
        guard let byte = reader.uint8() else { return nil }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt32(byte)
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "u"):
            guard let unit = hexadecimal() else { return nil }
            guard (0xd800...0xdfff).contains(unit) else { return unit }
            // The first half of a pair (RFC 8259, section 7); a second half alone is not one.
            guard unit < 0xdc00, reader.uint8() == UInt8(ascii: "\\"), reader.uint8() == UInt8(ascii: "u"),
                let second = hexadecimal(), (0xdc00...0xdfff).contains(second)
            else { return nil }
            return 0x1_0000 + (unit - 0xd800) << 10 + (second - 0xdc00)
        default: return nil
        }
    }

    private mutating func hexadecimal() -> UInt32? {
        guard let digits = reader.take(4) else { return nil }
        var value: UInt32 = 0
        for index in 0..<4 {
            guard let digit = hexadecimalDigit(digits[index]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Appends a Unicode scalar as UTF-8.
    private func append(_ scalar: UInt32, to text: inout UniqueArray<UInt8>) throws(BackboneError) {
        func continuation(_ shift: UInt32) -> UInt8 { UInt8(0x80 | scalar >> shift & 0x3f) }
        if scalar < 0x80 {
            try text.append(UInt8(scalar))
        } else if scalar < 0x800 {
            try text.append(UInt8(0xc0 | scalar >> 6))
            try text.append(continuation(0))
        } else if scalar < 0x1_0000 {
            try text.append(UInt8(0xe0 | scalar >> 12))
            try text.append(continuation(6))
            try text.append(continuation(0))
        } else {
            try text.append(UInt8(0xf0 | scalar >> 18))
            try text.append(continuation(12))
            try text.append(continuation(6))
            try text.append(continuation(0))
        }
    }
}
