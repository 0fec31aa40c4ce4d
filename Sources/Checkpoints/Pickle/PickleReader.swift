// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Reads pickles from front to back: a part of a file, through a window so that the values of a large pickle need not
/// be in memory; or bytes in memory. It returns nil instead of a byte after the end.
struct PickleReader: ~Copyable {
    private static var windowSize: Int { 64 << 10 }

    /// Nil for bytes in memory, which are all in the window.
    private let file: FileReference?
    /// The bytes from place `start` on.
    private(set) var window: UniqueArray<UInt8>
    private var start: Int
    /// The number of bytes read into the window, and the number of those consumed.
    private var filled: Int
    private var taken = 0
    /// The place after the last byte.
    private let end: Int

    /// - Parameter range: of bytes that the file has.
    init(_ file: FileReference, _ range: Range<Int>) throws(BackboneError) {
        window = try UniqueArray(repeating: 0, count: min(range.count, PickleReader.windowSize))
        self.file = file
        start = range.lowerBound
        filled = 0
        end = range.upperBound
    }

    init(_ bytes: consuming UniqueArray<UInt8>) {
        file = nil
        start = 0
        filled = bytes.count
        end = bytes.count
        window = bytes
    }

    /// The bytes themselves if they are in memory, else none.
    consuming func memory() -> UniqueArray<UInt8> { file == nil ? window : UniqueArray() }

    /// The place of the next byte: in the file, or in memory.
    var position: Int { start &+ taken }

    // `position` never passes `end`.
    var remaining: Int { end &- position }

    /// Whether the next `count` bytes are in the window; reads them into it if the file has so many.
    @inline(__always)
    private mutating func has(_ count: Int) throws(BackboneError) -> Bool {
        if count <= filled &- taken { return true }
        return try fill(count)
    }

    @inline(never)
    private mutating func fill(_ count: Int) throws(BackboneError) -> Bool {
        guard let file, count <= remaining, count <= window.count else { return false }
        let position = position
        let part = min(window.count, remaining)
        guard let memory = window.mutableElements.baseAddress else { return false }
        try file.read(at: position, count: part, into: memory)
        start = position
        taken = 0
        filled = part
        return true
    }

    /// The next `count` bytes, at most `Limits.pickleTextBytes` of a file, valid until the next read.
    mutating func take(_ count: Int) throws(BackboneError) -> Bytes? {
        guard count >= 0, try has(count) else { return nil }
        defer { taken &+= count }
        return window.elements.slice(taken, count)
    }

    /// Skips bytes without looking at them.
    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= remaining else { return false }
        if count <= filled &- taken {
            taken &+= count
        } else {
            start = position &+ count
            taken = 0
            filled = 0
        }
        return true
    }

    mutating func uint8() throws(BackboneError) -> UInt8? { try littleEndian(UInt8.self) }
    mutating func uint16() throws(BackboneError) -> UInt16? { try littleEndian(UInt16.self) }
    mutating func uint32() throws(BackboneError) -> UInt32? { try littleEndian(UInt32.self) }
    mutating func uint64() throws(BackboneError) -> UInt64? { try littleEndian(UInt64.self) }

    @inline(__always)
    private mutating func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ type: Integer.Type
    ) throws(BackboneError) -> Integer? {
        guard try has(MemoryLayout<Integer>.size), let bytes = window.elements.baseAddress else { return nil }
        defer { taken &+= MemoryLayout<Integer>.size }
        return Integer(littleEndian: UnsafeRawPointer(bytes + taken).loadUnaligned(as: Integer.self))
    }

    /// Reads the bytes up to and including the next line feed.
    ///
    /// - Parameter text: receives at most `limit` bytes.
    /// - Returns: their number.
    mutating func takeLine(to text: inout UniqueArray<UInt8>, limit: Int) throws(BackboneError) -> Int? {
        var count = 0
        while let byte = try uint8() {
            if byte == UInt8(ascii: "\n") { return count }
            if count < limit { try text.append(byte) }
            count &+= 1
        }
        return nil
    }
}
