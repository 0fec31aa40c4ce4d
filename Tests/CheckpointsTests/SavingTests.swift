// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// What is written is a safetensors file by the letter of the format, and an older file stays whole until then.
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
        try writeSafetensors(sources, to: path)
    }

    private let tensors: [(name: String, shape: [Int64], floats: [Float]?, integers: [Int64]?)] = [
        ("conv1.weight", [3, 1], [1, -2.5, .nan], nil), ("bn1.num_batches_tracked", [], nil, [1 << 40]),
        ("empty", [0, 2], [], nil), ("na\"me\\\n\u{1}é", [2], [.infinity, Float(bitPattern: 3)], nil),
        ("more", [1], nil, [-7]),
    ]

    @Test func whatIsWrittenIsRead() throws {
        let scratch = try Scratch()
        try write(tensors, to: scratch.path("a.safetensors"))
        let loaded = try load(scratch.path("a.safetensors"))
        #expect(loaded.map(\.name) == tensors.map(\.name))
        for (tensor, expected) in zip(loaded, tensors) {
            #expect(tensor.tensor.shape == expected.shape)
            #expect(tensor.tensor.bits == (expected.floats ?? []).map(\.bitPattern))
            #expect(tensor.tensor.integers == expected.integers ?? [])
        }
        #expect(scratch.names == ["a.safetensors"])
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
        // A folder that is not empty cannot be replaced by a file.
        try FileManager.default.createDirectory(atPath: scratch.path("folder/inner"), withIntermediateDirectories: true)
        do {
            try write(tensors, to: scratch.path("folder"))
            Issue.record("a folder was replaced")
        } catch let error as BackboneError {
            #expect(error.kind == .io)
            #expect(error.text.contains("/folder: cannot put it into its place"), "\(error.text)")
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
}
