// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension UniqueArray where Element == UInt8 {
    /// Appends a text in quotes, with the escapes that JSON demands (RFC 8259, section 7). In a text that is not UTF-8,
    /// such as a path, each byte beyond ASCII becomes U+FFFD.
    mutating func append(json text: Bytes) throws(BackboneError) {
        let digits = bytes(of: "0123456789abcdef")
        let isText = text.isText
        try append("\"")
        for index in 0..<text.count {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                try append("\\")
                try append(byte)
            case 0..<0x20:
                try append("\\u00")
                try append(digits[Int(byte >> 4)])
                try append(digits[Int(byte & 15)])
            case 0x80... where !isText: try append("\u{fffd}")
            default: try append(byte)
            }
        }
        try append("\"")
    }
}
