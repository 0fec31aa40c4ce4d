// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The one place where the library asks for memory. Swift's own allocations end the process when there is none left;
/// these throw.
package enum Heap {
    /// Alignment of every allocation in bytes: a cache line, and the widest vector there is.
    package static var alignment: Int { 64 }

    /// `count` elements' worth of uninitialised memory.
    ///
    /// - Throws: `outOfMemory`, also where the size in bytes exceeds an `Int`.
    package static func allocate<Element: ~Copyable>(
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
    package static func deallocate<Element: ~Copyable>(_ memory: UnsafeMutablePointer<Element>) {
        free(memory)
    }
}
