// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// Files that are damaged, hostile, or something else: each is an error that names the culprit, none is the end.
struct DamagedFileTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let file: String
        let status: Int32
        let text: String

        var testDescription: String { file }
    }

    static let cases: [Case] = ((try? fixtureLines("bad.txt")) ?? []).map { line in
        let fields = line.components(separatedBy: "\t")
        return Case(file: fields[0], status: Int32(fields[1]) ?? -1, text: fields[2])
    }

    @Test func theListOfCasesIsThere() { #expect(DamagedFileTests.cases.count > 100) }

    @Test(arguments: cases) func saysWhatIsWrong(_ bad: Case) throws {
        let error = try #require(failure(fixture(bad.file)))
        #expect(error.kind.rawValue == bad.status)
        #expect(error.text.contains(bad.text), "\(error.text)")
        #expect(error.text.contains(bad.file), "\(error.text)")
    }

    @Test func aMissingFileIsNotFound() throws {
        let scratch = try Scratch()
        #expect(try #require(failure(scratch.path("none.pth"))).kind == .fileNotFound)
        let error = try #require(failure(scratch.path("none/none.pth")))
        #expect(error.kind == .fileNotFound)
        #expect(error.text.hasSuffix("none/none.pth: cannot open it: No such file or directory"))
    }

    @Test func aLongPathLeavesRoomForTheMessage() throws {
        let path = "/" + String(repeating: "folder/", count: 80) + "x.pth"
        let error = try #require(failure(path))
        #expect(error.text.hasPrefix("...") && error.text.hasSuffix("x.pth: cannot open it: No such file or directory"))
    }

    /// Harmless content that looks otherwise: it loads, and nothing happens but that.
    @Test(
        arguments: [
            "hand.pth", "os-system.pth", "memo-bomb.pth", "tuple-bomb.pth", "deep.pth", "marks.pth", "cyclic.pth",
            "reduce-bomb.pth", "dict-opcode.pth",
        ])
    func strangersAreSkipped(file: String) throws {
        let tensors = try load(fixture(file))
        #expect(tensors.map(\.name) == ["w"])
        #expect(tensors[0].tensor == Loaded(shape: [8], bits: (0..<8).map { Float($0).bitPattern }))
        #expect(!FileManager.default.fileExists(atPath: "executed-by-a-checkpoint"))
    }

    @Test func ofAKeyThatComesTwiceTheLastValueCounts() throws {
        let tensors = try load(fixture("twice.pth"))
        #expect(tensors.map(\.name) == ["w", "v"])
        #expect(tensors[0].tensor == Loaded(shape: [2], bits: [Float(3).bitPattern, Float(4).bitPattern]))
    }

    static let small = [
        "ordered.pth", "protocol4.pth", "ordered.safetensors", "small-deflated.pth", "small-legacy.pth",
        "small-pickle.pkl", "small-numpy0.pkl", "small-numpy2.pkl", "small-numpy5.pkl", "small-python2.pkl",
        "small-tar.pth",
    ]

    @Test(arguments: small) func cutAtEveryByte(file: String) throws {
        let bytes = try fixtureBytes(file)
        let scratch = try Scratch()
        for length in 0..<bytes.count {
            // The zeros that fill and end a tar archive are many and all alike.
            if file == "small-tar.pth" && (length >= bytes.count - 1024 || bytes[length] == 0 && length % 16 != 0) {
                continue
            }
            let path = try scratch.write("cut", Array(bytes[..<length]))
            guard let error = failure(path) else {
                Issue.record("\(length) of \(bytes.count) bytes loaded")
                continue
            }
            #expect(error.kind == .badCheckpoint, "\(length) bytes: \(error.text)")
            #expect(error.text.contains("/cut: "), "\(error.text)")
        }
    }

    /// A flipped byte is an error, or unused, or in a name.
    @Test(arguments: ["ordered.pth", "ordered.safetensors", "small-deflated.pth"], [UInt8(0xff), 0x01])
    func flippedAtEveryByte(file: String, mask: UInt8) throws {
        let bytes = try fixtureBytes(file)
        let whole = try load(fixture(file))
        let scratch = try Scratch()
        for position in 0..<bytes.count {
            var flipped = bytes
            flipped[position] ^= mask
            let path = try scratch.write("flipped", flipped)
            do {
                let tensors = try load(path)
                if file.hasSuffix(".pth") {
                    // Checksums cover names, shapes and numbers.
                    #expect(
                        tensors.elementsEqual(whole) { $0.name == $1.name && $0.tensor == $1.tensor }, "\(position)")
                } else if position >= bytes.count - 32 {
                    // The numbers themselves; safetensors has no checksums.
                    #expect(!tensors.elementsEqual(whole) { $0.tensor == $1.tensor }, "\(position)")
                }
            } catch let error as BackboneError {
                #expect(error.kind == .badCheckpoint, "\(position): \(error.text)")
            }
        }
    }

    /// Without checksums every parser sees the flipped bytes.
    @Test(
        arguments: [
            "no-checksums.pth", "small-legacy.pth", "small-views.pth", "small-pickle.pkl", "small-numpy0.pkl",
            "small-numpy2.pkl", "small-numpy5.pkl", "small-python2.pkl", "small-tar.pth",
        ], [UInt8(0xff), 0x01])
    func flippedWithoutChecksums(file: String, mask: UInt8) throws {
        let bytes = try fixtureBytes(file)
        let scratch = try Scratch()
        var loaded = 0
        for position in 0..<bytes.count {
            if file == "small-tar.pth" && bytes[position] == 0 && position % 16 != 0 { continue }
            var flipped = bytes
            flipped[position] ^= mask
            let error = failure(try scratch.write("flipped", flipped))
            if let error {
                #expect(error.kind == .badCheckpoint, "\(position): \(error.text)")
            } else {
                loaded += 1
            }
        }
        #expect(loaded > 0 && loaded < bytes.count)
    }

    @Test func tooManyNamesAreRefused() throws {
        let scratch = try Scratch()
        var header = "{"
        for index in 0...65_536 {
            header += "\(index > 0 ? "," : "")\"\(index)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"
        }
        header += "}"
        let bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
        let error = try #require(failure(try scratch.write("many.safetensors", bytes)))
        #expect(error.text.contains("more than 65536 tensors"), "\(error.text)")
    }

    @Test func aFileThatShrinksWhileItIsReadIsAnError() throws {
        let scratch = try Scratch()
        let bytes = try fixtureBytes("ordered.safetensors")
        let path = try scratch.write("shrinking", bytes)
        let dict = try StateDict(file: path)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: UInt64(bytes.count - 4))
        var memory = [Float](repeating: 0, count: 6)
        try memory.withUnsafeMutableBufferPointer { memory in
            var destinations = UniqueArray<TensorDestination>()
            let last =
                (0..<dict.count).max { dict.catalog.storages[$0].position < dict.catalog.storages[$1].position } ?? 0
            try destinations.append(TensorDestination(tensor: last, float32: #require(memory.baseAddress)))
            do {
                try dict.read(destinations)
                Issue.record("it was read")
            } catch let error as BackboneError {
                #expect(error.kind == .badCheckpoint)
                #expect(error.text.contains("was shortened to \(bytes.count - 4) bytes"), "\(error.text)")
            }
        }
    }
}
