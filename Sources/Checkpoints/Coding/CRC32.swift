// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The CRC-32 of zip archives (ISO 3309, reflected polynomial 0xEDB88320).
///
/// A CPU with instructions for it reduces 64 bytes a step to sixteen. Other CPUs, and the rest, look up sixteen bytes a
/// step: table `k` holds, for each byte, its remainder after `k` further zero bytes, so sixteen look-ups that do not
/// wait for each other replace sixteen that do ("slicing"; Kounavis and Berry, 2005).
struct CRC32: ~Copyable {
    private let tables: UniqueArray<UInt32>
    private let folds: Bool

    /// - Parameter folds: For tests; false for look-ups alone.
    init(folds: Bool = true) throws(BackboneError) {
        self.folds = folds && shims_cpu_folds_crc32() != 0
        var tables = try UniqueArray<UInt32>(repeating: 0, count: 16 * 256)
        let table = tables.mutableElements
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = remainder >> 1 ^ ((remainder & 1) &* 0xEDB8_8320) }
            table[byte] = remainder
        }
        for index in 256..<16 * 256 {
            let shorter = table[index - 256]
            table[index] = shorter >> 8 ^ table[Int(shorter & 0xff)]
        }
        self.tables = tables
    }

    /// The CRC of bytes that follow bytes whose CRC is `crc`; 0 is that of none.
    func update(_ crc: UInt32, _ memory: UnsafeRawPointer, count: Int) -> UInt32 {
        guard let table = tables.elements.baseAddress else { return crc }
        var state = ~crc
        let folded = folds ? count & ~63 : 0
        if folded > 0 {
            var remainder = SIMD16<UInt8>.zero
            withUnsafeMutableBytes(of: &remainder) { remainder in
                guard let start = remainder.baseAddress else { return }
                shims_crc32_fold(memory, folded, state, start.assumingMemoryBound(to: UInt8.self))
                state = CRC32.update(table, 0, start, count: remainder.count)
            }
        }
        return ~CRC32.update(table, state, memory + folded, count: count - folded)
    }

    /// The state after bytes that follow `state`, by look-ups.
    private static func update(
        _ table: UnsafePointer<UInt32>, _ state: UInt32, _ memory: UnsafeRawPointer, count: Int
    ) -> UInt32 {
        var state = state
        var offset = 0
        while count - offset >= 16 {
            let low = UInt64(littleEndian: (memory + offset).loadUnaligned(as: UInt64.self)) ^ UInt64(state)
            let high = UInt64(littleEndian: (memory + offset + 8).loadUnaligned(as: UInt64.self))
            state = remainder(table + 8 * 256, low) ^ remainder(table, high)
            offset += 16
        }
        while offset < count {
            let byte = (memory + offset).load(as: UInt8.self)
            state = state >> 8 ^ table[Int(UInt8(truncatingIfNeeded: state) ^ byte)]
            offset += 1
        }
        return state
    }

    /// The remainder of eight bytes, of which the first is followed by the most zeros.
    @inline(__always)
    private static func remainder(_ table: UnsafePointer<UInt32>, _ bytes: UInt64) -> UInt32 {
        let a = table[7 &* 256 &+ Int(bytes & 0xff)] ^ table[6 &* 256 &+ Int(bytes >> 8 & 0xff)]
        let b = table[5 &* 256 &+ Int(bytes >> 16 & 0xff)] ^ table[4 &* 256 &+ Int(bytes >> 24 & 0xff)]
        let c = table[3 &* 256 &+ Int(bytes >> 32 & 0xff)] ^ table[2 &* 256 &+ Int(bytes >> 40 & 0xff)]
        let d = table[256 &+ Int(bytes >> 48 & 0xff)] ^ table[Int(bytes >> 56)]
        return a ^ b ^ (c ^ d)
    }
}
