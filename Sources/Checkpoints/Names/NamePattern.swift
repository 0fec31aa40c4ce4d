// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// What the fields of a pattern are in a name that fits it.
struct NameFields {
    var stage = 0
    var block = 0
    var convolution = 0
    var rest = Bytes(start: nil, count: 0)

    private mutating func set(_ field: UInt8, _ value: Int) -> Bool {
        switch field {
        case UInt8(ascii: "s"):
            stage = value
            return value >= 1 && value <= 4
        case UInt8(ascii: "b"):
            block = value
            return value >= 0 && value <= 999
        default:
            convolution = value
            return value >= 1 && value <= 3
        }
    }

    private func value(_ field: UInt8) -> Int {
        switch field {
        case UInt8(ascii: "s"): stage
        case UInt8(ascii: "b"): block
        default: convolution
        }
    }
}

// MARK: - Matching

extension NameFields {
    /// The fields of a name; nil if it does not fit the pattern.
    init?(_ name: Bytes, pattern: Bytes) {
        self.init()
        if pattern.count > 1, pattern[0] == UInt8(ascii: "*") {
            let suffix = pattern.slice(1, pattern.count - 1)
            guard name.count >= suffix.count, equal(name.slice(name.count - suffix.count, suffix.count), suffix) else {
                return nil
            }
            return
        }
        var reader = NameReader(name)
        var index = 0
        while index < pattern.count {
            let character = pattern[index]
            index += 1
            if character == UInt8(ascii: "*") {
                rest = reader.rest
                if rest.isEmpty { return nil }
                return
            }
            if character == UInt8(ascii: "{") {
                let field = PatternField(pattern, at: &index)
                guard let found = field.read(&reader), set(field.name, found) else { return nil }
            } else if !reader.take(character) {
                return nil
            }
        }
        guard reader.isAtEnd else { return nil }
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
                let field = PatternField(text, at: &index)
                try out.append(message: "\(value(field.name) + field.offset)")
            } else {
                try out.append(character)
            }
        }
    }
}

/// A number in a pattern: "{s}", "{s+1}", "{c-1}", "{c:a}".
private struct PatternField {
    var name: UInt8 = 0
    /// What a file adds to our number.
    var offset = 0
    var isLetter = false

    /// - Parameter index: of what follows the brace; moves to what follows the closing one.
    init(_ pattern: Bytes, at index: inout Int) {
        while index < pattern.count, pattern[index] != UInt8(ascii: "}") {
            let character = pattern[index]
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): offset *= Int(character - UInt8(ascii: "0"))
            case UInt8(ascii: "+"): offset = 1
            case UInt8(ascii: "-"): offset = -1
            case UInt8(ascii: ":"): isLetter = true
            default: if !isLetter { name = character }
            }
            index += 1
        }
        index += 1
    }

    /// Our number for the one that comes next in a name.
    func read(_ reader: inout NameReader) -> Int? {
        if isLetter {
            guard let letter = reader.next, letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "z") else { return nil }
            _ = reader.take(letter)
            return Int(letter - UInt8(ascii: "a")) + 1
        }
        return reader.number(in: 0...9999).map { $0 - offset }
    }
}
