// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How one kind of writer spells the names of a network, as data: a table of patterns.
///
/// Each line of the table is one of these, with words separated by spaces:
///
///     place STEM STAGE         a network is where two tensors of these names have the same prefix
///     place STEM STAGE !OTHER  the same, unless a third name is there too
///     PATTERN OURS             a name of the file, and our name for it
///     PATTERN -                a name that is of no consequence
///
/// The first pattern that fits a name counts. Patterns are literal except for these fields, which our name may use:
///
///     {s} {b} {c}    the number of a stage (1 to 4), a block (from 0), a convolution (1 to 3)
///     {s+1} {c-1}    the same number, where the file counts from another one
///     {c:a}          the same number as a letter: a, b, c
///     *              at the end: whatever else there is. At the beginning: a name that ends so
package struct NameGrammar: BitwiseCopyable, Sendable {
    /// As reports call it.
    package let name: StaticString
    package let table: StaticString

    package init(name: StaticString, table: StaticString) {
        self.name = name
        self.table = table
    }

    /// Names as they are, for checkpoints of anything.
    static var verbatim: NameGrammar { NameGrammar(name: "", table: "* *") }
}
