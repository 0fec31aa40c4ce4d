// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The forms in which pickles write bytes.
enum TextForm: UInt8 {
    /// Unchanged bytes.
    case plain
    /// UTF-8 of characters below 256.
    case utf8
    /// The escapes of a literal of Python 2.
    case literal
    /// Latin-1 with `\u` escapes.
    case rawUnicode
}
