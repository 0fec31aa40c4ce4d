// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A block of plain numbers of fixed size with one owner, aligned to `Heap.alignment`. Its contents start undefined.
// Public: see UniqueArray.
public struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    public let start: UnsafeMutablePointer<Element>
    public let count: Int

    @inlinable public init(count: Int) throws(BackboneError) {
        start = try Heap.allocate(Element.self, count: count)
        self.count = count
    }

    @inlinable deinit { Heap.deallocate(start) }
}

extension Buffer: @unchecked Sendable where Element: Sendable {}
