// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The position of a text in a table of bytes: tables store it instead of pointers, which growing invalidates.
///
/// 32 bits suffice: tables are bounded far below 4 GB.
@usableFromInline package struct TextRange: BitwiseCopyable, Sendable {
    @usableFromInline package var start: UInt32
    @usableFromInline package var count: UInt32

    /// Bytes `start ..< start + count`; none by default.
    @inlinable package init(start: UInt32 = 0, count: UInt32 = 0) {
        self.start = start
        self.count = count
    }
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// The text in a range of this table.
    @inlinable package func slice(_ range: TextRange) -> Bytes { slice(Int(range.start), Int(range.count)) }
}
