// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The spelling of a network's tensor names in one project, as data: a table of patterns.
///
/// Each line of the table is one of these, with words separated by spaces:
///
///     place FIRST SECOND         landmarks: a network is where two tensors of these names have the same prefix
///     place FIRST SECOND !OTHER  the same, unless a third name exists too, or (!OTHER !OTHER) one of two
///     field LETTER LOW HIGH      the range of our number in a field; without such a line, all numbers
///     apart START our names with this prefix are not compared when deciding whether two places are one network PATTERN
///     OURS a name of the file, and our name for it PATTERN ~OURS the same, for names that the grammar's project does
///     not have: read for messages,
///                                not written
///     PATTERN -                  a name without effect
///
/// The first pattern that fits a name counts. Patterns are literal except for these, which our name may use:
///
///     {a} to {z}     fields: a number, written in decimal
///     {a+1} {a-1}    the same number, if the file counts from another one
///     {a:a}          the same number as a letter: 1 is a, 2 is b
///     *              at the end: the rest of the name. At the beginning: a name that ends so
package struct NameGrammar: BitwiseCopyable, Sendable {
    /// Its name in reports.
    package let name: StaticString
    package let table: StaticString
    /// Lines that the grammars of a family of networks share, as the ranges of their fields.
    package let shared: StaticString

    /// A grammar of lines of its own and of lines that it shares.
    package init(name: StaticString, table: StaticString, shared: StaticString = "") {
        self.name = name
        self.table = table
        self.shared = shared
    }

    /// Unchanged names, for checkpoints of any content.
    static var verbatim: NameGrammar { NameGrammar(name: "", table: "* *") }
}
