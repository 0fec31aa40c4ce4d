// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// Forms of containers that are rarely written.
struct ContainerTests {
    /// The block is by formula, and the matches are in a list: this applies them byte by byte, with no window.
    @Test func matchesIntoAStoredBlockLongerThanTheWindow() throws {
        var expected: [Int64] = (0..<40_000).map { index in
            let number: Int = index * index * 31 + index * 7
            return Int64(number >> 3 & 0xff)
        }
        for line in try fixtureLines("deflated-stored-far.txt") {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            for _ in 0..<numbers[0] { expected.append(expected[expected.count - numbers[1]]) }
        }
        #expect(expected.count > 41_000)
        let tensors = try load(fixture("deflated-stored-far.pth"))
        #expect(tensors.map(\.name) == ["bytes"])
        #expect(tensors[0].tensor == Loaded(shape: [Int64(expected.count)], integers: expected))
    }

    @Test func aTarMemberWhoseSizeIsInAnExtendedHeaderAlone() throws {
        let (found, expected) = (try load(fixture("small-tar-pax-size.pth")), try load(fixture("small-tar.pth")))
        #expect(expected.map(\.name) == ["conv1.weight", "bn1.bias"])
        #expect(found.map(\.name) == expected.map(\.name))
        #expect(found.map(\.tensor) == expected.map(\.tensor))
    }

    static let kinds = [
        "ordered.pth", "comment.pth", "small-deflated.pth", "small-legacy.pth", "small-tar.pth", "small-pickle.pkl",
        "small-numpy0.pkl", "small-numpy5.pkl", "small-python2.pkl", "ordered.safetensors",
    ]

    @Test(arguments: kinds, [1, 22, 512, 70_000, 300_000])
    func zerosAfterTheEndAreIgnored(file: String, count: Int) throws {
        let bytes = try fixtureBytes(file)
        let (found, expected) = (try load(memory: bytes + Array(repeating: 0, count: count)), try load(fixture(file)))
        #expect(found.map(\.name) == expected.map(\.name))
        #expect(found.map(\.tensor) == expected.map(\.tensor))
    }

    /// An archive ends with its zeros already.
    @Test(arguments: kinds.filter { !$0.contains("tar") }, [0, 1, 70_000])
    func anythingElseAfterTheEndIsNot(file: String, zeros: Int) throws {
        let bytes = try fixtureBytes(file) + Array(repeating: 0, count: zeros) + [1]
        #expect(try #require(failure(memory: bytes)).kind == .badCheckpoint)
        #expect(try #require(failure(memory: bytes + [0, 0])).kind == .badCheckpoint)
    }

    @Test func moreZerosThanFillABlockAreNot() throws {
        let scratch = try Scratch()
        for file in ["ordered.pth", "small-legacy.pth", "small-pickle.pkl", "ordered.safetensors"] {
            let bytes = try fixtureBytes(file)
            // As a hole in the file: nothing of it is on the disk.
            let path = try scratch.write(file, bytes)
            for (zeros, isRead) in [(Limits.trailingZeros, true), (Limits.trailingZeros + 9, false)] {
                try #require(truncate(path, bytes.count + zeros) == 0)
                #expect((failure(path) == nil) == isRead, "\(file), \(zeros)")
            }
        }
    }

    /// Numbers that are zero are the tensors', and no zeros more may be missing.
    @Test func zerosThatBelongToATensor() throws {
        let header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
        let size = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        let file = size + Array(header.utf8)
        #expect(try load(memory: file + Array(repeating: 0, count: 8))[0].tensor == Loaded(shape: [2], bits: [0, 0]))
        #expect(try #require(failure(memory: file + Array(repeating: 0, count: 7))).kind == .badCheckpoint)
    }
}
