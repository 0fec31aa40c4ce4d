// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The index of a checkpoint in several files, as transformers and accelerate write it: a JSON object whose `weight_map`
/// names the file of each tensor.
struct ShardIndex: ~Copyable {
    /// A tensor, and the number of its file.
    private struct Entry {
        var name: TextRange
        var file: Int
    }

    private var text = UniqueArray<UInt8>()
    private var entries = UniqueArray<Entry>()
    private var files = UniqueArray<TextRange>()

    /// - Throws: `badCheckpoint` for JSON of another kind, for damage, and for files outside of the index's folder.
    init(_ file: FileReference) throws(BackboneError) {
        guard file.size <= Limits.safetensorsHeaderBytes else {
            throw BackboneError(.badCheckpoint, "JSON of \(file.size) bytes; \(ShardIndex.expectation)")
        }
        let contents = try file.read(at: 0, count: file.size)
        guard contents.elements.isText else {
            throw BackboneError.damagedFile("the JSON is not UTF-8 text")
        }
        var json = JSONReader(contents.elements)
        var key = UniqueArray<UInt8>()
        var hasMap = false
        try json.readObject(key: &key) { json, key throws(BackboneError) in
            guard equal(key.elements, "weight_map") else { return try json.skipValue() }
            hasMap = true
            return try self.readMap(&json)
        }
        guard hasMap else {
            throw BackboneError(.badCheckpoint, "JSON without a 'weight_map'; \(ShardIndex.expectation)")
        }
    }

    private static var expectation: Message {
        "expected a checkpoint, or the index of its shards ('model.safetensors.index.json')"
    }

    private mutating func readMap(_ json: inout JSONReader) throws(BackboneError) -> Bool {
        var key = UniqueArray<UInt8>()
        var value = UniqueArray<UInt8>()
        try json.readObject(key: &key) { json, key throws(BackboneError) in
            value.removeAll()
            guard try json.string(to: &value) else { return false }
            try self.add(key.elements, value.elements)
            return true
        }
        return true
    }

    private mutating func add(_ name: Bytes, _ file: Bytes) throws(BackboneError) {
        guard entries.count < Limits.tensors else {
            throw BackboneError(
                .badCheckpoint, "the index lists more than \(Limits.tensors) tensors; save those of the network alone")
        }
        guard name.count <= Limits.nameBytes, file.count <= 255 else {
            throw BackboneError(
                .badCheckpoint,
                """
                a name of \(max(name.count, file.count)) bytes is too long; use at most \(Limits.nameBytes), 255 for \
                files
                """)
        }
        // No index leads out of its folder.
        guard !file.isEmpty, !file.contains(UInt8(ascii: "/")), !equal(file, "."), !equal(file, "..") else {
            throw BackboneError(
                .badCheckpoint, "the index has '\(name)' in '\(file)', expected a file in the folder of the index")
        }
        try entries.append(Entry(name: try add(text: name), file: try number(of: file)))
    }

    private mutating func number(of file: Bytes) throws(BackboneError) -> Int {
        for index in stride(from: files.count - 1, through: 0, by: -1)
        where equal(text.elements.slice(files[index]), file) { return index }
        guard files.count < Limits.shards else {
            throw BackboneError(
                .badCheckpoint, "the index names more than \(Limits.shards) files; save it in fewer shards")
        }
        try files.append(try add(text: file))
        return files.count - 1
    }

    // No longer than the index itself: offsets fit.
    private mutating func add(text added: Bytes) throws(BackboneError) -> TextRange {
        let start = text.count
        try text.append(added)
        return TextRange(start: UInt32(start), count: UInt32(added.count))
    }

    var fileCount: Int { files.count }

    /// The name of a file in the folder of the index.
    func file(_ index: Int) -> Bytes { text.elements.slice(files[index]) }

    var count: Int { entries.count }

    /// Tensor `index`, and the number of its file.
    subscript(index: Int) -> (name: Bytes, file: Int) {
        (text.elements.slice(entries[index].name), entries[index].file)
    }
}

extension JSONReader {
    /// Reads an object; `body` reads the value of each key and returns whether it succeeded.
    ///
    /// - Throws: `badCheckpoint` if the value is not an object, and what `body` throws.
    fileprivate mutating func readObject(
        key: inout UniqueArray<UInt8>,
        _ body: (inout JSONReader, borrowing UniqueArray<UInt8>) throws(BackboneError) -> Bool
    ) throws(BackboneError) {
        guard take("{") else { throw damaged }
        var isFirst = true
        while !take("}") {
            if !isFirst && !take(",") { throw damaged }
            isFirst = false
            key.removeAll()
            guard try string(to: &key), take(":"), try body(&self, key) else { throw damaged }
        }
    }

    private var damaged: BackboneError {
        BackboneError.damagedFile("the JSON is damaged at byte \(position)")
    }
}
