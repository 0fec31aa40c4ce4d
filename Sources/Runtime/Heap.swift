// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The one place where the library asks for memory. Swift's own allocations end the process when there is none left;
/// these throw.
public enum Heap {
    /// Alignment of every allocation in bytes: a cache line, and the widest vector there is.
    @inlinable public static var alignment: Int { 64 }

    /// `count` rounded up so that what follows so many elements is aligned too; nil where that has no place in an Int.
    @inlinable public static func aligned<Element>(_ count: Int, _ type: Element.Type) -> Int? {
        let unit = alignment / MemoryLayout<Element>.stride
        guard let sum = checkedSum(count, unit - 1) else { return nil }
        return sum / unit * unit
    }

    /// `count` elements' worth of uninitialised memory.
    ///
    /// - Throws: `outOfMemory`, also where the size in bytes exceeds an `Int`.
    @inlinable public static func allocate<Element: ~Copyable>(
        _ type: Element.Type, count: Int
    ) throws(BackboneError) -> UnsafeMutablePointer<Element> {
        guard count >= 0, let bytes = checkedProduct(count, MemoryLayout<Element>.stride) else {
            throw BackboneError(.outOfMemory, "cannot allocate \(count) elements")
        }
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, alignment, max(bytes, 1)) == 0, let memory else {
            throw BackboneError(.outOfMemory, "cannot allocate \(bytes) bytes")
        }
        return memory.bindMemory(to: Element.self, capacity: count)
    }

    /// Gives back what `allocate` gave. The elements must have been deinitialised.
    @inlinable public static func deallocate<Element: ~Copyable>(_ memory: UnsafeMutablePointer<Element>) {
        free(memory)
    }

    /// Moves a value to the heap, where its address never changes.
    @inlinable public static func make<Value: ~Copyable>(
        _ value: consuming Value
    ) throws(BackboneError) -> UnsafeMutablePointer<Value> {
        let memory = try allocate(Value.self, count: 1)
        memory.initialize(to: value)
        return memory
    }

    /// Ends what `make` began.
    @inlinable public static func destroy<Value: ~Copyable>(_ memory: UnsafeMutablePointer<Value>) {
        memory.deinitialize(count: 1)
        deallocate(memory)
    }
}
