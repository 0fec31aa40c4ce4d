// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// The small parts by themselves.
struct PartsTests {
    /// Bit by bit, as the standard defines it.
    private func slowCRC(_ bytes: [UInt8]) -> UInt32 {
        var state: UInt32 = .max
        for byte in bytes {
            state ^= UInt32(byte)
            for _ in 0..<8 { state = state >> 1 ^ (state & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return ~state
    }

    @Test(arguments: [false, true]) func checksumOfTheStandardsExample(folds: Bool) throws {
        let crc = try CRC32(folds: folds)
        let digits = Array("123456789".utf8)
        #expect(crc.update(0, digits, count: 9) == 0xCBF4_3926)
    }

    @Test(arguments: [false, true]) func checksumsOfAllLengthsInTwoPieces(folds: Bool) throws {
        let crc = try CRC32(folds: folds)
        var random = Generator(state: 3)
        let bytes = (0..<400).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for length in 0...400 {
            let expected = slowCRC(Array(bytes[..<length]))
            for cut in stride(from: 0, through: length, by: 7) {
                bytes.withUnsafeBufferPointer { bytes in
                    let start = bytes.baseAddress!
                    let first = crc.update(0, start, count: cut)
                    #expect(crc.update(first, start + cut, count: length - cut) == expected, "\(cut) of \(length)")
                }
            }
        }
    }

    @Test func theReaderNeverLeavesItsBytes() {
        let bytes: [UInt8] = [1, 2, 3, 10, 5]
        bytes.withUnsafeBufferPointer { bytes in
            var reader = ByteReader(bytes)
            #expect(reader.uint64() == nil)
            #expect(reader.take(6) == nil && reader.take(-1) == nil && reader.take(Int.max) == nil)
            #expect(reader.uint16() == 0x0201)
            #expect(reader.takeLine().map { Array($0) } == [3])
            #expect(reader.takeLine() == nil)
            #expect(reader.uint32() == nil && reader.uint8() == 5 && reader.uint8() == nil && reader.next == nil)
            #expect(reader.remaining == 0)
        }
    }
}

/// SplitMix64.
struct Generator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
