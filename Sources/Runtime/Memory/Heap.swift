// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The one place where the library asks for memory. Swift's own allocations end the process when memory has run out;
/// these throw.
public enum Heap {
    /// What a user can do about a lack of memory: the end of every message about one.
    @inlinable public static var noMemoryCure: StaticString { "free memory, or raise the limit of the process" }

    /// Alignment of every allocation in bytes: a cache line, and the widest vector.
    @inlinable public static var alignment: Int { 64 }

    /// `count` rounded up so that memory after so many elements is aligned too; nil if that overflows Int.
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
            throw BackboneError(.outOfMemory, "cannot allocate \(count) elements; \(noMemoryCure)")
        }
        return try allocate(byteCount: bytes).bindMemory(to: Element.self, capacity: count)
    }

    /// Uninitialised memory, at least one byte.
    ///
    /// Large blocks ask for huge pages: the first touch of 100 MB of weights causes thousands fewer page faults, and
    /// kernels that stream them miss the TLB less often.
    @usableFromInline static func allocate(byteCount: Int) throws(BackboneError) -> UnsafeMutableRawPointer {
        var memory: UnsafeMutableRawPointer?
        let isLarge = byteCount >= 2 * hugePage
        guard posix_memalign(&memory, isLarge ? hugePage : alignment, max(byteCount, 1)) == 0, let memory else {
            throw BackboneError(.outOfMemory, "cannot allocate \(byteCount) bytes; \(noMemoryCure)")
        }
        // Whole pages only, so that no more memory is used than requested. A refusal is harmless.
        if isLarge { _ = shims_advise_huge_pages(memory, byteCount / hugePage * hugePage) }
        return memory
    }

    /// Huge-page size on x86-64, and on ARM with pages of 4 KB, in bytes. On ARM with pages of 64 KB, that much
    /// contiguous memory is one entry of the TLB.
    private static var hugePage: Int { 2 << 20 }

    /// Frees memory of `allocate` gave. The elements must have been deinitialised.
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

    /// Ends a value of `make` began.
    @inlinable public static func destroy<Value: ~Copyable>(_ memory: UnsafeMutablePointer<Value>) {
        memory.deinitialize(count: 1)
        deallocate(memory)
    }
}
