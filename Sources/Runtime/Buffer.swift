// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A block of plain numbers of fixed size with one owner, aligned to `Heap.alignment`. Its contents start undefined.
// Public: see UniqueArray.
public struct Buffer<Element: BitwiseCopyable>: ~Copyable {
    package let start: UnsafeMutablePointer<Element>
    package let count: Int

    package init(count: Int) throws(BackboneError) {
        start = try Heap.allocate(Element.self, count: count)
        self.count = count
    }

    deinit { Heap.deallocate(start) }
}

extension Buffer: @unchecked Sendable where Element: Sendable {}
