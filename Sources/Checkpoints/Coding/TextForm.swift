// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How a pickle writes bytes down.
enum TextForm: UInt8 {
    /// Each byte as it is.
    case plain
    /// As UTF-8, which for bytes means that of characters below 256.
    case utf8
    /// With the escapes of a literal of Python 2.
    case literal
    /// As Latin-1 with `\u` escapes.
    case rawUnicode
}
