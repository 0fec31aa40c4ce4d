// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime
import Testing

@testable import Checkpoints

/// Tensors of kinds that are not supported, and entries that are not tensors: each says what it is and what to do.
struct UnreadTensorTests {
    /// `write_unread` in pickled_objects.py has PyTorch write one of each kind.
    @Test func saysWhatEachIsAndHowToSaveItInstead() throws {
        let file = try ByteFile(checkpoint: fixture("unread-kinds.pth"))
        let checkpoint = try PickledCheckpoint(file.reference, .zip)
        let candidates = try checkpoint.candidates()
        let catalog = try checkpoint.catalog(of: candidates.list[0])
        let lines = try fixtureLines("unread-kinds.txt").map { $0.split(separator: "\t").map(String.init) }
        #expect(catalog.entries.count == lines.count && lines.count > 30)
        for (index, line) in lines.enumerated() {
            #expect(String(decoding: catalog.name(index), as: UTF8.self) == line[0])
            #expect(!catalog.entries[index].isTensor, "\(line[0])")
            let obstacle = String(decoding: catalog.obstacle(index), as: UTF8.self)
            #expect(obstacle.hasPrefix(line[1]) || obstacle.hasSuffix(line[1]), "\(line[0]): \(obstacle)")
            #expect(obstacle.utf8.count < 160, "\(line[0])")
        }
    }

    /// A state dict all of whose tensors are of such a kind is still one, or no message could name them.
    @Test func theirNamesAreThoseOfAStateDict() throws {
        let file = try ByteFile(checkpoint: fixture("unread-kinds.pth"))
        let checkpoint = try PickledCheckpoint(file.reference, .zip)
        let candidates = try checkpoint.candidates()
        #expect(candidates.list.count == 1)
        var listing = CandidateListing()
        let tensors = try checkpoint.tensors(of: candidates.list[0], &listing)
        let names = (0..<tensors.count).map { String(decoding: tensors[$0].name, as: UTF8.self) }
        let lines = try fixtureLines("unread-kinds.txt").map { String($0.split(separator: "\t")[0]) }
        let others = ["number", "fraction", "large", "yes", "none", "list", "text"]
        #expect(names == lines.filter { !others.contains($0) })
    }

    /// One table has the names of all: a row in the place of another would read numbers as another type.
    @Test func namesOfTypes() {
        func dtype(_ name: String, _ find: (Bytes) -> DType?) -> DType? {
            Array(name.utf8).withUnsafeBufferPointer { find($0) }
        }
        let safetensors: [(String, DType?)] = [
            ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("F64", .float64), ("I64", .int64),
            ("I32", .int32), ("I16", .int16), ("I8", .int8), ("U8", .uint8), ("BOOL", .bool), ("U16", nil),
            ("C64", nil),
            ("F8_E5M2", nil), ("", nil), ("F", nil), ("F321", nil),
        ]
        for (name, expected) in safetensors { #expect(dtype(name) { DType(safetensors: $0) } == expected, "\(name)") }
        let numpy: [(String, DType?)] = [
            ("f4", .float32), ("f2", .float16), ("f8", .float64), ("i8", .int64), ("i4", .int32), ("i2", .int16),
            ("i1", .int8), ("u1", .uint8), ("b1", .bool), ("u2", nil), ("c8", nil), ("", nil), ("O8", nil),
        ]
        for (name, expected) in numpy { #expect(dtype(name) { DType(numpy: $0) } == expected, "\(name)") }
        let names: [(DType, String)] = [
            (.float32, "float32"), (.float16, "float16"), (.bfloat16, "bfloat16"), (.float64, "float64"),
            (.int64, "int64"), (.int32, "int32"), (.int16, "int16"), (.int8, "int8"), (.uint8, "uint8"),
            (.bool, "bool"),
        ]
        for (dtype, name) in names { #expect("\(dtype.name)" == name) }
        for row in 0..<DTypeNames.count { #expect((DType(row: row) != nil) == (row < 10), "\(row)") }
    }
}
