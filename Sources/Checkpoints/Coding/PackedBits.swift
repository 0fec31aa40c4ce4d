// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The bits of packed bytes in a file, the lowest of each byte first.
struct PackedBits: ~Copyable {
    private let file: FileReference
    private let piece: Buffer<UInt8>
    private var position: Int
    /// Bytes that are still in the file, and those in `piece` that are not in `bits`.
    private var left: Int
    private var next = 0
    private var end = 0
    private var bits: UInt64 = 0
    private var bitCount = 0

    init(_ file: FileReference, position: Int, count: Int) throws(BackboneError) {
        // Eight more, so that words can be read at its end.
        piece = try Buffer<UInt8>(count: 16384 + 8)
        self.file = file
        self.position = position
        left = count
    }

    /// At least 48 bits, or all that are left; zeros follow the last.
    @inline(__always)
    mutating func peek() throws(BackboneError) -> Int {
        if bitCount < 48 { try fill() }
        return Int(truncatingIfNeeded: bits & (1 << 48 - 1))
    }

    @inline(__always)
    mutating func drop(_ count: Int) throws(BackboneError) {
        guard count <= bitCount else { throw Inflater.damaged("they are cut off") }
        bits >>= UInt64(count)
        bitCount &-= count
    }

    /// The next bits, at most 16, as a number.
    @inline(__always)
    mutating func take(_ count: Int) throws(BackboneError) -> UInt32 {
        let value = UInt32(truncatingIfNeeded: try peek() & (1 << count - 1))
        try drop(count)
        return value
    }

    mutating func skipToByte() {
        bits >>= UInt64(bitCount & 7)
        bitCount &-= bitCount & 7
    }

    /// Copies the next bytes, at most `count`, at a byte boundary.
    ///
    /// - Returns: how many; at least one.
    mutating func copyBytes(_ count: Int, to out: UnsafeMutablePointer<UInt8>) throws(BackboneError) -> Int {
        // The bytes already in `bits` come first.
        if bitCount >= 8 {
            out[0] = UInt8(truncatingIfNeeded: bits)
            try drop(8)
            return 1
        }
        if next == end {
            guard left > 0 else { throw Inflater.damaged("they are cut off") }
            try readOn()
        }
        let part = min(count, end - next)
        out.update(from: piece.start + next, count: part)
        next += part
        return part
    }

    /// Whether less than a byte is left.
    var isUsedUp: Bool { left == 0 && next == end && bitCount < 8 }

    @inline(__always)
    private mutating func fill() throws(BackboneError) {
        if end &- next < 8 {
            guard next < end || left > 0 else { return }
            try readOn()
        }
        let word = UInt64(littleEndian: UnsafeRawPointer(piece.start + next).loadUnaligned(as: UInt64.self))
        let taken = min(end &- next, (63 &- bitCount) >> 3)
        // Bits above the consumed bytes are read again, with the same values, or are beyond the end.
        let mask: UInt64 = taken == 8 ? .max : (1 << UInt64(8 &* taken) &- 1)
        bits |= (word & mask) << UInt64(bitCount)
        bitCount &+= 8 &* taken
        next &+= taken
    }

    /// Moves the rest to the beginning of the piece and reads after it.
    @inline(never)
    private mutating func readOn() throws(BackboneError) {
        let rest = end - next
        for index in 0..<rest { piece.start[index] = piece.start[next + index] }
        let count = min(left, piece.count - 8 - rest)
        try file.read(at: position, count: count, into: piece.start + rest)
        position += count
        left -= count
        next = 0
        end = rest + count
    }
}
