// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Writes JSON into memory. It writes commas and escapes; the caller is responsible for the nesting.
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

    /// Begins the next element of a list.
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

    /// A text, see `append(json:)`.
    mutating func string(_ string: UnsafePointer<CChar>) throws(BackboneError) {
        try text.append(json: bytes(ofCString: string))
    }

    /// A list of sizes, or null.
    mutating func shape(_ sizes: UnsafeBufferPointer<Int64>?) throws(BackboneError) {
        guard let sizes else { return try text.append("null") }
        try text.append("[")
        for axis in 0..<sizes.count {
            if axis > 0 { try text.append(", ") }
            try text.append(message: "\(sizes[axis])")
        }
        try text.append("]")
    }
}
