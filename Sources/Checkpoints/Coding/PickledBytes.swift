// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Decodes bytes from their form in a pickle, one after another.
struct PickledBytes {
    private let form: TextForm
    /// The upper bits of a character of two bytes of UTF-8.
    private var lead: UInt8?
    private var isEscape = false
    /// The missing hexadecimal digits of an escape, and the value of those before.
    private var digits = 0
    private var value: UInt32 = 0

    init(_ form: TextForm) { self.form = form }

    /// Whether no character or escape is incomplete.
    var isComplete: Bool { lead == nil && !isEscape && digits == 0 }

    /// The byte that one more written byte completes.
    ///
    /// - Returns: nil before the first; a number above 255 if it is not valid there.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> UInt32? {
        switch form {
        case .plain: return UInt32(byte)
        case .utf8: return takeUTF8(byte)
        case .literal, .rawUnicode: return takeEscaped(byte)
        }
    }

    static var invalid: UInt32 { .max }

    /// Decodes many written bytes at a time.
    ///
    /// - Parameter out: has room for `count` bytes.
    /// - Returns: their number, nil if they are not valid.
    mutating func decode(
        _ source: UnsafePointer<UInt8>, count: Int, to out: UnsafeMutablePointer<UInt8>
    ) -> Int? {
        if form == .utf8 {
            guard count > 0 else { return 0 }
            let done = decodeLatin1(source, count: count, after: lead.map { 0xc0 | $0 } ?? 0, to: out)
            let last = source[count - 1]
            lead = last & 0xfe == 0xc2 ? last & 3 : nil
            return done
        }
        var done = 0
        for index in 0..<count {
            guard let byte = take(source[index]) else { continue }
            guard byte <= 0xff else { return nil }
            out[done] = UInt8(truncatingIfNeeded: byte)
            done &+= 1
        }
        return done
    }

    private mutating func takeUTF8(_ byte: UInt8) -> UInt32? {
        if let upper = lead {
            lead = nil
            return byte & 0xc0 == 0x80 ? UInt32(upper << 6 | byte & 0x3f) : PickledBytes.invalid
        }
        if byte < 0x80 { return UInt32(byte) }
        guard byte == 0xc2 || byte == 0xc3 else { return PickledBytes.invalid }
        lead = byte & 3
        return nil
    }

    private mutating func takeEscaped(_ byte: UInt8) -> UInt32? {
        if digits > 0 {
            guard let digit = hexadecimalDigit(byte) else { return PickledBytes.invalid }
            value = value << 4 | UInt32(digit)
            digits -= 1
            return digits > 0 ? nil : value <= 0xff ? value : PickledBytes.invalid
        }
        guard isEscape else {
            isEscape = byte == UInt8(ascii: "\\")
            return isEscape ? nil : UInt32(byte)
        }
        isEscape = false
        value = 0
        if form == .rawUnicode {
            guard byte == UInt8(ascii: "u") else { return PickledBytes.invalid }
            digits = 4
            return nil
        }
        switch byte {
        case UInt8(ascii: "x"):
            digits = 2
            return nil
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): return UInt32(byte)
        default: return PickledBytes.invalid
        }
    }
}
