// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension LoadReport {
    /// Writes the whole report as JSON, after the last change. It is done ahead of time, so that handing it out neither
    /// fails nor changes a report that many threads may read.
    package mutating func renderJSON() throws(BackboneError) {
        var writer = JSONWriter()
        try writer.begin("{")
        for number in 0..<Property.count {
            guard let property = Property(rawValue: Int32(number)) else { continue }
            try writer.key(property.key)
            try writer.string(self.property(property))
        }
        try writer.key("warnings")
        try writer.begin("[")
        for index in 0..<warningCount {
            if let warning = warning(index) {
                try writer.separate()
                try writer.string(warning)
            }
        }
        try writer.end("]")
        try writer.key("names")
        try writer.begin("{")
        for number in 0..<NameClass.count {
            guard let nameClass = NameClass(rawValue: Int32(number)) else { continue }
            try writer.key(nameClass.key)
            try writer.begin("[")
            for index in 0..<count(of: nameClass) {
                guard let entry = entry(nameClass, index) else { continue }
                try writer.separate()
                try writer.begin("{")
                try writer.key("name")
                try writer.string(entry.name)
                try writer.key("expected")
                try writer.shape(entry.expectedRank < 0 ? nil : entry.expected)
                try writer.key("actual")
                try writer.shape(entry.actualRank < 0 ? nil : entry.actual)
                try writer.end("}")
            }
            try writer.end("]")
        }
        try writer.end("}")
        try writer.end("}")
        json = try writer.finish()
    }

    /// The report as `renderJSON` wrote it, as a string that lives as long as the report.
    package var jsonText: UnsafePointer<CChar> {
        UnsafeRawPointer(json.elements.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: CChar.self)
    }
}

extension LoadReport.Property {
    fileprivate var key: StaticString {
        switch self {
        case .container: "container"
        case .wrapper: "wrapper"
        case .prefix: "prefix"
        case .dialect: "dialect"
        case .depth: "depth"
        case .baseChannels: "base_channels"
        case .inputChannels: "input_channels"
        case .dtype: "dtype"
        case .style: "style"
        case .inputConversion: "input_conversion"
        case .tensors: "tensors"
        }
    }
}

extension LoadReport.NameClass {
    fileprivate var key: StaticString {
        switch self {
        case .loaded: "loaded"
        case .missing: "missing"
        case .unexpected: "unexpected"
        case .ignorable: "ignorable"
        case .mismatched: "mismatched"
        }
    }
}

/// Writes JSON into memory. It sees to commas and escapes, the caller to the nesting.
struct JSONWriter: ~Copyable {
    private var text = UniqueArray<UInt8>()
    private var isFirst = true

    /// The text with a terminating zero.
    consuming func finish() throws(BackboneError) -> UniqueArray<UInt8> {
        try text.append(0)
        return text
    }

    mutating func begin(_ bracket: StaticString) throws(BackboneError) {
        try text.append(bracket)
        isFirst = true
    }

    mutating func end(_ bracket: StaticString) throws(BackboneError) {
        try text.append(bracket)
        isFirst = false
    }

    /// Goes on to the next element of a list.
    mutating func separate() throws(BackboneError) {
        if !isFirst { try text.append(", ") }
        isFirst = false
    }

    mutating func key(_ key: StaticString) throws(BackboneError) {
        try separate()
        try text.append("\"")
        try text.append(key)
        try text.append("\": ")
    }

    /// A text of UTF-8; what is none, as a path may be, becomes U+FFFD byte by byte.
    mutating func string(_ string: UnsafePointer<CChar>) throws(BackboneError) {
        let count = strlen(string)
        let bytes = Bytes(start: UnsafeRawPointer(string).assumingMemoryBound(to: UInt8.self), count: count)
        let isText = bytes.isText
        try text.append("\"")
        for index in 0..<count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                try text.append("\\")
                try text.append(byte)
            case 0..<0x20:
                try text.append("\\u00")
                try text.append(JSONWriter.digit(byte >> 4))
                try text.append(JSONWriter.digit(byte & 15))
            case 0x80... where !isText: try text.append("\u{fffd}")
            default: try text.append(byte)
            }
        }
        try text.append("\"")
    }

    /// A list of sizes, or null.
    mutating func shape(_ sizes: UnsafeBufferPointer<Int64>?) throws(BackboneError) {
        guard let sizes else { return try text.append("null") }
        try text.append("[")
        for axis in 0..<sizes.count {
            if axis > 0 { try text.append(", ") }
            let number: Message = "\(sizes[axis])"
            for index in 0..<number.count { try text.append(number[index]) }
        }
        try text.append("]")
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}
