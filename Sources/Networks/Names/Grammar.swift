// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A project's spelling of the names of a ResNet: a table of patterns for ours, torchvision's. `NameGrammar` in
/// Checkpoints reads it and describes its lines.
package struct Grammar: BitwiseCopyable, Sendable {
    /// Its name in reports.
    package let name: StaticString
    package let table: StaticString

    /// The part common to all tables: `s` is the number of a stage, `b` of a block in it, `c` of a convolution in a
    /// block. A classifier is not part of the backbone.
    package static var shared: StaticString {
        """
        field s 1 4
        field b 0 999
        field c 1 3
        apart fc.
        apart head.fc.
        """
    }
}
