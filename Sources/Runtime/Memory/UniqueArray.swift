// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A growable array with one owner, whose growth can fail without ending the process. The library uses it in place of
/// `Array`.
// Public and inlinable, so that every module gets code for its own elements: the generic code would ask the runtime for
// metadata, which allocates, and ends the process where that fails. (Embedded Swift has no generic code at all, and must
// see every deinit.)
public struct UniqueArray<Element: ~Copyable>: ~Copyable {
    @usableFromInline var storage: UnsafeMutablePointer<Element>?
    @usableFromInline var capacity: Int
    @usableFromInline var storedCount: Int

    @inlinable public var count: Int { storedCount }

    @inlinable public init() {
        storage = nil
        capacity = 0
        storedCount = 0
    }

    @inlinable deinit {
        guard let storage else { return }
        storage.deinitialize(count: count)
        Heap.deallocate(storage)
    }

    @inlinable public var isEmpty: Bool { count == 0 }

    /// Element `index`. An index out of range is a bug of this library, never caused by its input, and ends the
    /// process.
    @inlinable public subscript(index: Int) -> Element {
        @inline(__always)
        unsafeAddress {
            precondition(index >= 0 && index < count)
            return UnsafePointer(storage.unsafelyUnwrapped + index)
        }
        @inline(__always)
        unsafeMutableAddress {
            precondition(index >= 0 && index < count)
            return storage.unsafelyUnwrapped + index
        }
    }

    /// Makes room for `minimum` elements in all, so that appending that many cannot fail.
    @inlinable public mutating func reserve(_ minimum: Int) throws(BackboneError) {
        guard minimum > capacity else { return }
        let grown = try Heap.allocate(Element.self, count: minimum)
        if let storage {
            grown.moveInitialize(from: storage, count: count)
            Heap.deallocate(storage)
        }
        storage = grown
        capacity = minimum
    }

    @inlinable public mutating func append(_ element: consuming Element) throws(BackboneError) {
        if count == capacity {
            let doubled = checkedProduct(capacity, 2) ?? Int.max
            try reserve(max(doubled, 8))
        }
        appendReserved(element)
    }

    /// Appends an element for which `reserve` has made room.
    @inlinable public mutating func appendReserved(_ element: consuming Element) {
        precondition(count < capacity)
        (storage.unsafelyUnwrapped + count).initialize(to: element)
        storedCount += 1
    }

    /// Removes an element by putting the last one in its place.
    @inlinable public mutating func swapRemove(at index: Int) -> Element {
        precondition(index >= 0 && index < count)
        let start = storage.unsafelyUnwrapped
        let element = (start + index).move()
        storedCount -= 1
        if index < count { (start + index).moveInitialize(from: start + count, count: 1) }
        return element
    }

    @inlinable public mutating func removeLast() -> Element {
        precondition(count > 0)
        storedCount -= 1
        return (storage.unsafelyUnwrapped + count).move()
    }

    @inlinable public mutating func removeAll() {
        storage?.deinitialize(count: count)
        storedCount = 0
    }
}

// The owner of the memory may move between threads if its elements may.
extension UniqueArray: @unchecked Sendable where Element: Sendable & ~Copyable {}

extension UniqueArray where Element: BitwiseCopyable {
    /// An array of `count` equal elements.
    @inlinable public init(repeating element: Element, count: Int) throws(BackboneError) {
        self.init()
        try reserve(count)
        storage?.initialize(repeating: element, count: count)
        storedCount = count
    }

    @inlinable public mutating func append(_ elements: UnsafeBufferPointer<Element>) throws(BackboneError) {
        guard let total = checkedSum(count, elements.count) else {
            throw BackboneError(.outOfMemory, "cannot allocate \(elements.count) more elements; \(Heap.noMemoryCure)")
        }
        if total > capacity { try reserve(max(total, checkedProduct(capacity, 2) ?? total)) }
        guard let source = elements.baseAddress, let storage else { return }
        (storage + count).initialize(from: source, count: elements.count)
        storedCount = total
    }

    /// The elements as plain memory, valid while the array is neither changed nor freed.
    @inlinable public var elements: UnsafeBufferPointer<Element> {
        UnsafeBufferPointer(start: storage, count: count)
    }

    /// The elements as plain memory to write to, valid while the array is neither grown nor freed.
    @inlinable public var mutableElements: UnsafeMutableBufferPointer<Element> {
        mutating get { UnsafeMutableBufferPointer(start: storage, count: count) }
    }
}
