// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Instructions of protocols 0 and 1, followed by text up to the end of the line.
extension Unpickler {
    /// A short line, appended to the text of the pickle.
    mutating func takeLine() throws(BackboneError) -> TextRange {
        let start = pickle.text.count
        guard let count = try reader.takeLine(to: &pickle.text, limit: Limits.pickleTextBytes) else { throw cutOff() }
        guard count <= Limits.pickleTextBytes else { throw damaged("a line of \(count) bytes") }
        return try range(from: start)
    }

    /// `I12`, `L12L`, or `I00` and `I01` for False and True. Numbers that do not fit an Int64 do not matter.
    mutating func pushIntegerOfLine(mayBeBoolean: Bool) throws(BackboneError) {
        let line = pickle.text(try takeLine())
        if mayBeBoolean, equal(line, "00") || equal(line, "01") {
            return try push(PickleValue(.boolean, equal(line, "01") ? 1 : 0))
        }
        let hasSuffix = line.count > 0 && line[line.count - 1] == UInt8(ascii: "L")
        guard let number = decimal(line.slice(0, line.count - (hasSuffix ? 1 : 0))) else { return try push(.number) }
        try push(PickleValue(integer: Int64(number)))
    }

    mutating func slotOfLine() throws(BackboneError) -> Int {
        guard let number = decimal(pickle.text(try takeLine())) else { throw damaged("a memo without a number") }
        return number
    }

    /// A string of any length, in quotes or plain.
    mutating func pushTextOfLine(_ form: TextForm) throws(BackboneError) {
        let quote = form == .literal ? 1 : 0
        let position = reader.position
        var line = UniqueArray<UInt8>()
        guard let count = try reader.takeLine(to: &line, limit: Limits.pickleTextBytes) else { throw cutOff() }
        guard count >= 2 * quote else { throw damaged("a string without quotes") }
        var text = Pickle.Text(position: position + quote, count: count - 2 * quote, form: form)
        if count <= Limits.pickleTextBytes {
            let start = pickle.text.count
            var decoder = PickledBytes(form)
            for index in quote..<count - quote {
                guard let byte = decoder.take(line[index]) else { continue }
                guard byte <= 0xff else { throw damaged("a string with an unknown escape") }
                if form == .rawUnicode && byte >= 0x80 {
                    try pickle.text.append(UInt8(truncatingIfNeeded: 0xc0 | byte >> 6))
                    try pickle.text.append(UInt8(truncatingIfNeeded: 0x80 | byte & 0x3f))
                } else {
                    try pickle.text.append(UInt8(truncatingIfNeeded: byte))
                }
            }
            text.value = try range(from: start)
        }
        try pickle.texts.append(text)
        try push(PickleValue(.string, pickle.texts.count - 1))
    }

    /// An id as text.
    mutating func pushPersistentOfLine() throws(BackboneError) {
        let key = decimal(pickle.text(try takeLine()))
        if let object = objects.find(key) { try push(object) } else { try push(.opaque) }
    }
}
