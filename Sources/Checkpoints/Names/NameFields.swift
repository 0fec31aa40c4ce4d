// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The ranges of the fields of a grammar's patterns.
struct NameFieldRanges {
    /// The first and the last number of each letter.
    private var lowest: [26 of Int] = .init(repeating: 0)
    private var highest: [26 of Int] = .init(repeating: .max)

    /// Reads the rest of a line after `field`: a letter, the first number and the last.
    mutating func add(_ line: inout Bytes) {
        let letter = line.takeWord()
        guard let low = decimal(line.takeWord()), let high = decimal(line.takeWord()), letter.count == 1,
            let index = NameFieldRanges.index(of: letter[0])
        else { return }
        lowest[index] = low
        highest[index] = high
    }

    /// Whether the field of number `index` may be a number.
    func allows(_ value: Int, in index: Int) -> Bool { value >= lowest[index] && value <= highest[index] }

    /// The number of a field; nil for anything but a lowercase letter.
    static func index(of letter: UInt8) -> Int? {
        let index = Int(letter) - Int(UInt8(ascii: "a"))
        return index >= 0 && index < 26 ? index : nil
    }
}

/// The fields of a pattern in a name that fits it.
///
/// One is reused for all patterns: clearing all fields for each would cost more time than finding that a name does not
/// fit.
struct NameFields {
    private var numbers: [26 of Int] = .init(repeating: 0)
    private var rest = Bytes(start: nil, count: 0)

    /// Reads the fields of a name; false if it does not fit the pattern.
    mutating func read(_ name: Bytes, pattern: Bytes, _ ranges: borrowing NameFieldRanges) -> Bool {
        if pattern.count > 1, pattern[0] == UInt8(ascii: "*") {
            return name.hasSuffix(pattern.slice(1, pattern.count - 1))
        }
        var reader = NameReader(name)
        var index = 0
        while index < pattern.count {
            let character = pattern[index]
            index += 1
            if character == UInt8(ascii: "*") {
                rest = reader.rest
                return !rest.isEmpty
            }
            if character == UInt8(ascii: "{") {
                guard let field = NameField(pattern, at: &index), let number = field.read(&reader),
                    ranges.allows(number, in: field.index)
                else { return false }
                numbers[field.index] = number
            } else if !reader.take(character) {
                return false
            }
        }
        return reader.isAtEnd
    }

    /// Appends a text with these fields in it.
    func write(_ text: Bytes, to out: inout UniqueArray<UInt8>) throws(BackboneError) {
        var index = 0
        while index < text.count {
            let character = text[index]
            index += 1
            if character == UInt8(ascii: "*") {
                try out.append(rest)
            } else if character == UInt8(ascii: "{") {
                guard let field = NameField(text, at: &index) else { continue }
                try field.write(numbers[field.index], to: &out)
            } else {
                try out.append(character)
            }
        }
    }
}

/// A field in a pattern: "{s}", "{s+1}", "{c-1}", "{c:a}".
private struct NameField {
    /// The number of its letter.
    let index: Int
    /// The difference of the file's number from ours.
    private(set) var offset = 0
    private var isLetter = false

    /// - Parameter position: after the opening brace; moves past the closing one.
    init?(_ pattern: Bytes, at position: inout Int) {
        guard position < pattern.count, let index = NameFieldRanges.index(of: pattern[position]) else { return nil }
        self.index = index
        position += 1
        while position < pattern.count, pattern[position] != UInt8(ascii: "}") {
            let character = pattern[position]
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): offset *= Int(character - UInt8(ascii: "0"))
            case UInt8(ascii: "+"): offset = 1
            case UInt8(ascii: "-"): offset = -1
            case UInt8(ascii: ":"): isLetter = true
            default: break
            }
            position += 1
        }
        position += 1
    }

    /// Appends our number in the file's form.
    func write(_ number: Int, to out: inout UniqueArray<UInt8>) throws(BackboneError) {
        if isLetter {
            try out.append(UInt8(ascii: "a") + UInt8(truncatingIfNeeded: number - 1))
        } else {
            try out.append(message: "\(number + offset)")
        }
    }

    /// Our number for the next one in a name.
    func read(_ reader: inout NameReader) -> Int? {
        if isLetter {
            guard let letter = reader.next, let index = NameFieldRanges.index(of: letter) else { return nil }
            _ = reader.take(letter)
            return index + 1
        }
        return reader.number(in: 0...9999).map { $0 - offset }
    }
}
