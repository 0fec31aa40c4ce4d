// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What is written follows the formats by the letter, and an older file stays whole until then.
struct SavingTests {
    private func write(
        _ tensors: [(name: String, shape: [Int64], floats: [Float]?, integers: [Int64]?)], to path: String
    ) throws {
        var memory: [UnsafeMutableRawPointer] = []
        defer { memory.forEach { $0.deallocate() } }
        func copy<T>(_ values: [T]) -> UnsafeMutableBufferPointer<T> {
            let raw = UnsafeMutableRawPointer.allocate(
                byteCount: max(values.count, 1) * MemoryLayout<T>.stride, alignment: 8)
            memory.append(raw)
            let buffer = UnsafeMutableBufferPointer(
                start: raw.bindMemory(to: T.self, capacity: values.count), count: values.count)
            _ = buffer.initialize(from: values)
            return buffer
        }
        func start<T>(_ buffer: UnsafeMutableBufferPointer<T>) -> UnsafeMutablePointer<T> {
            buffer.baseAddress.unsafelyUnwrapped
        }
        var sources = UniqueArray<TensorSource>()
        for tensor in tensors {
            let name = Bytes(copy(Array(tensor.name.utf8)))
            let shape = UnsafeBufferPointer(copy(tensor.shape))
            if let floats = tensor.floats {
                try sources.append(TensorSource(name: name, shape: shape, float32: start(copy(floats))))
            } else if let integers = tensor.integers {
                try sources.append(TensorSource(name: name, shape: shape, int64: start(copy(integers))))
            }
        }
        try writeCheckpoint(sources, to: path)
    }

    private let tensors: [(name: String, shape: [Int64], floats: [Float]?, integers: [Int64]?)] = [
        ("conv1.weight", [3, 1], [1, -2.5, .nan], nil), ("bn1.num_batches_tracked", [], nil, [1 << 40]),
        ("empty", [0, 2], [], nil), ("na\"me\\\n\u{1}é", [2], [.infinity, Float(bitPattern: 3)], nil),
        ("more", [1], nil, [-7]),
    ]

    @Test(arguments: ["a.safetensors", "a.pth"]) func whatIsWrittenIsRead(name: String) throws {
        let scratch = try Scratch()
        try write(tensors, to: scratch.path(name))
        #expect(try StateDict(file: scratch.path(name)).container == (name == "a.pth" ? .zip : .safetensors))
        let loaded = try load(scratch.path(name))
        #expect(loaded.map(\.name) == tensors.map(\.name))
        for (tensor, expected) in zip(loaded, tensors) {
            #expect(tensor.tensor.shape == expected.shape)
            #expect(tensor.tensor.bits == (expected.floats ?? []).map(\.bitPattern))
            #expect(tensor.tensor.integers == expected.integers ?? [])
        }
        #expect(scratch.names == [name])
    }

    @Test(arguments: [
        ("a.pth", true), ("a.pt", true), ("a.bin", true), ("a.pth.tar", true), ("A.PTH", true), (".pth", true),
        ("a.safetensors", false), ("a", false), ("pth", false), ("a.pth.safetensors", false), ("a.tar", false),
        ("a.pthx", false), ("a\u{e}pth", false),
    ])
    func theEndingChoosesTheFormat(name: String, isZip: Bool) throws {
        let scratch = try Scratch()
        try write(tensors, to: scratch.path(name))
        let beginning = try Data(contentsOf: URL(fileURLWithPath: scratch.path(name))).prefix(4)
        #expect((Array(beginning) == Array("PK\u{3}\u{4}".utf8)) == isZip)
    }

    /// Neither the name nor the time is in the bytes.
    @Test func theSameWeightsAreTheSameBytes() throws {
        let scratch = try Scratch()
        try write(tensors, to: scratch.path("a.pth"))
        try write(tensors, to: scratch.path("another.pt"))
        #expect(FileManager.default.contentsEqual(atPath: scratch.path("a.pth"), andPath: scratch.path("another.pt")))
    }

    /// Shapes whose sizes have no place in a number are errors. The memory is never looked at.
    @Test(arguments: ["a.pth", "a.safetensors"], [[Int64.max, 2], [1 << 62, 4, 0], [1 << 61, 2]] as [[Int64]])
    func anAbsurdShapeIsAnError(name: String, shape: [Int64]) throws {
        let scratch = try Scratch()
        do {
            try write([("w", shape, [1], nil)], to: scratch.path(name))
            Issue.record("it was written")
        } catch let error as BackboneError {
            #expect(error.kind == .invalidArgument)
            #expect(error.text.contains("tensor 'w' is too large"), "\(error.text)")
        }
        #expect(scratch.names.isEmpty)
    }

    /// The numbers of a zip archive have 32 bits. The tensor is mapped, not filled: the system's one page of zeros.
    @Test func moreThanFourGigabytesAreNoZip() throws {
        let scratch = try Scratch()
        let count = 1 << 30
        let memory = mmap(nil, 4 * count, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        let floats = try #require(memory != MAP_FAILED ? memory : nil).assumingMemoryBound(to: Float.self)
        defer { munmap(floats, 4 * count) }
        let (name, shape) = (Array("w".utf8), [Int64(count)])
        try name.withUnsafeBufferPointer { name in
            try shape.withUnsafeBufferPointer { shape in
                var sources = UniqueArray<TensorSource>()
                try sources.append(TensorSource(name: name, shape: shape, float32: floats))
                do {
                    try writeCheckpoint(sources, to: scratch.path("a.pth"))
                    Issue.record("it was written")
                } catch let error as BackboneError {
                    #expect(error.kind == .invalidArgument)
                    #expect(error.text.contains("too large for a .pth file"), "\(error.text)")
                }
            }
        }
        #expect(scratch.names.isEmpty)
    }

    /// The format as its README tells it, read by other code than the library's.
    @Test func theBytesFollowTheFormat() throws {
        let scratch = try Scratch()
        try write(tensors, to: scratch.path("a.safetensors"))
        let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.path("a.safetensors")))
        let length = Int(bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        #expect(length % 8 == 0)
        #expect(bytes[8] == UInt8(ascii: "{"))
        let header = try #require(
            JSONSerialization.jsonObject(with: bytes.dropFirst(8).prefix(length)) as? [String: [String: Any]])
        #expect(header.count == tensors.count + 1)
        let data = Array(bytes.dropFirst(8 + length))
        var ends: [Int: Int] = [:]
        for tensor in tensors {
            let entry = try #require(header[tensor.name])
            let offsets = try #require(entry["data_offsets"] as? [Int])
            #expect(entry["dtype"] as? String == (tensor.floats != nil ? "F32" : "I64"))
            #expect(entry["shape"] as? [Int] == tensor.shape.map(Int.init))
            let expected =
                tensor.floats.map { $0.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) } }
                ?? tensor.integers.map { $0.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) } }
            #expect(Array(data[offsets[0]..<offsets[1]]) == expected)
            #expect(offsets[0] % (tensor.floats != nil ? 4 : 8) == 0)
            if offsets[1] > offsets[0] { ends[offsets[0]] = offsets[1] }
        }
        var end = 0
        while let next = ends[end] { end = next }
        #expect(end == data.count)
    }

    @Test func anOlderFileIsReplaced() throws {
        let scratch = try Scratch()
        let path = try scratch.write("a.safetensors", Array("old".utf8))
        try write(tensors, to: path)
        #expect(try load(path).count == tensors.count)
        #expect(scratch.names == ["a.safetensors"])
    }

    @Test func aFailureLeavesNothingBehind() throws {
        let scratch = try Scratch()
        #expect(throws: BackboneError.self) { try write(tensors, to: scratch.path("none/a.safetensors")) }
        try FileManager.default.createDirectory(atPath: scratch.path("folder"), withIntermediateDirectories: true)
        do {
            try write(tensors, to: scratch.path("folder"))
            Issue.record("a folder was replaced")
        } catch let error as BackboneError {
            #expect(error.kind == .io)
            #expect(error.text.contains("/folder: folder, not a file"), "\(error.text)")
        }
        #expect(scratch.names == ["folder"])
    }

    @Test func aMissingFolderIsNotFound() throws {
        do {
            try write(tensors, to: "/nowhere-at-all/a.safetensors")
            Issue.record("it was written")
        } catch let error as BackboneError {
            #expect(error.kind == .fileNotFound)
            #expect(error.text.hasPrefix("/nowhere-at-all/a.safetensors: "))
        }
    }

    @Test func theFileBehindALinkIsReplaced() throws {
        let scratch = try Scratch()
        let files = FileManager.default
        try files.createDirectory(atPath: scratch.path("inner"), withIntermediateDirectories: true)
        _ = try scratch.write("inner/a.pth", Array("old".utf8))
        try files.createSymbolicLink(atPath: scratch.path("inner/second"), withDestinationPath: "a.pth")
        try files.createSymbolicLink(
            atPath: scratch.path("first.pth"), withDestinationPath: scratch.path("inner/second"))
        try write(tensors, to: scratch.path("first.pth"))
        #expect(try files.destinationOfSymbolicLink(atPath: scratch.path("first.pth")) == scratch.path("inner/second"))
        #expect(try files.destinationOfSymbolicLink(atPath: scratch.path("inner/second")) == "a.pth")
        #expect(try load(scratch.path("inner/a.pth")).count == tensors.count)
        #expect(try files.contentsOfDirectory(atPath: scratch.path("inner")).sorted() == ["a.pth", "second"])
        #expect(scratch.names == ["first.pth", "inner"])

        // A link to nothing yet gets its file; a link to itself is an error.
        try files.createSymbolicLink(atPath: scratch.path("dangling.pth"), withDestinationPath: "inner/new.pth")
        try write(tensors, to: scratch.path("dangling.pth"))
        #expect(try load(scratch.path("inner/new.pth")).count == tensors.count)
        try files.createSymbolicLink(atPath: scratch.path("loop.pth"), withDestinationPath: "loop.pth")
        do {
            try write(tensors, to: scratch.path("loop.pth"))
            Issue.record("a link to itself was written")
        } catch let error as BackboneError {
            #expect(error.kind == .io)
            #expect(error.text.contains("loop.pth: cannot follow it"), "\(error.text)")
        }
    }

    @Test func permissionsOfAnOlderFileAreKept() throws {
        let scratch = try Scratch()
        func permissions(_ name: String) -> mode_t {
            var status = stat()
            stat(scratch.path(name), &status)
            return status.st_mode & 0o7777
        }
        for mode in [0o600, 0o664, 0o777, 0o640] as [mode_t] {
            let path = try scratch.write("a.pth", Array("old".utf8))
            chmod(path, mode)
            try write(tensors, to: path)
            #expect(permissions("a.pth") == mode)
        }
        try write(tensors, to: scratch.path("new.pth"))
        let ordinary = try scratch.write("ordinary", [])
        #expect(permissions("new.pth") == permissions(URL(fileURLWithPath: ordinary).lastPathComponent))
    }

    /// As root, renaming would put a file into the place of a device.
    @Test func whatIsNoFileIsNotReplaced() throws {
        let scratch = try Scratch()
        mkfifo(scratch.path("pipe"), 0o600)
        for path in [scratch.path("pipe"), "/dev/null"] {
            do {
                try write(tensors, to: path)
                Issue.record("\(path) was replaced")
            } catch let error as BackboneError {
                #expect(error.kind == .io)
                #expect(error.text.contains("not a regular file"), "\(error.text)")
            }
        }
    }
}
