// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Turns what a pickle writes for bytes back into them, one byte after another.
struct PickledBytes {
    private let form: Pickle.Text.Form
    /// The upper bits of a character of two bytes of UTF-8.
    private var lead: UInt8?
    private var isEscape = false
    /// Hexadecimal digits of an escape that are still to come, and the value of those before.
    private var digits = 0
    private var value: UInt32 = 0

    init(_ form: Pickle.Text.Form) { self.form = form }

    /// Whether it does not end in the middle of something.
    var isComplete: Bool { lead == nil && !isEscape && digits == 0 }

    /// The byte that one more byte as written completes.
    ///
    /// - Returns: nil if there is none yet; a number above 255 if it cannot stand there.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> UInt32? {
        switch form {
        case .plain: return UInt32(byte)
        case .utf8: return takeUTF8(byte)
        case .literal, .rawUnicode: return takeEscaped(byte)
        }
    }

    static var invalid: UInt32 { .max }

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

extension Pickle {
    /// Appends the bytes that a text stands for.
    ///
    /// - Parameter file: that the pickle was read from, unless it was in memory.
    /// - Returns: false if it is no text of bytes.
    func appendBytes(
        of text: Text, in file: FileReference, to bytes: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        var decoder = PickledBytes(text.form)
        let piece = try Buffer<UInt8>(count: min(text.count, Limits.chunkBytes))
        var start = 0
        while start < text.count {
            let count = min(Limits.chunkBytes, text.count - start)
            var part = UnsafePointer(piece.start)
            if let memory = memory.elements.baseAddress {
                part = memory + text.position + start
            } else {
                try file.read(at: text.position + start, count: count, into: piece.start)
            }
            for index in 0..<count {
                guard let byte = decoder.take(part[index]) else { continue }
                guard byte <= 0xff else { return false }
                try bytes.append(UInt8(truncatingIfNeeded: byte))
            }
            start += count
        }
        return decoder.isComplete
    }
}
