// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Reads bytes in memory from front to back. Every parser gets its bytes through it: it returns nil instead of a byte
/// after the end.
struct ByteReader {
    private let bytes: Bytes
    private(set) var position = 0

    init(_ bytes: Bytes) {
        self.bytes = bytes
    }

    // `position` never leaves 0 ... bytes.count, so this cannot wrap.
    var remaining: Int { bytes.count &- position }

    /// The next `count` bytes.
    mutating func take(_ count: Int) -> Bytes? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position &+= count }
        return Bytes(start: bytes.baseAddress.map { $0 + position }, count: count)
    }

    /// The next bytes up to the next line feed, which is consumed too.
    mutating func takeLine() -> Bytes? {
        var end = position
        while end < bytes.count && bytes[end] != UInt8(ascii: "\n") { end &+= 1 }
        guard end < bytes.count else { return nil }
        defer { position = end &+ 1 }
        return Bytes(start: bytes.baseAddress.map { $0 + position }, count: end &- position)
    }

    /// The next byte, without consuming it.
    var next: UInt8? { remaining > 0 ? bytes[position] : nil }

    mutating func uint8() -> UInt8? {
        guard let byte = next else { return nil }
        position &+= 1
        return byte
    }

    mutating func uint16() -> UInt16? { littleEndian(UInt16.self) }
    mutating func uint32() -> UInt32? { littleEndian(UInt32.self) }
    mutating func uint64() -> UInt64? { littleEndian(UInt64.self) }

    private mutating func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(_ type: Integer.Type) -> Integer? {
        guard let start = take(MemoryLayout<Integer>.size)?.baseAddress else { return nil }
        return Integer(littleEndian: UnsafeRawPointer(start).loadUnaligned(as: Integer.self))
    }
}
