// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Reads the header of a safetensors file: a length, a JSON object of names with dtype, shape and place, and the data,
/// which must fill the rest of the file without a hole.
///
/// (Format: the README of github.com/huggingface/safetensors.)
struct SafetensorsHeader: ~Copyable {
    private var catalog = TensorCatalog()
    private var json: JSONReader
    private let header: UniqueArray<UInt8>
    private let dataStart: Int
    private let dataSize: Int

    /// - Throws: `badCheckpoint` naming the tensor or place at fault, `io`, `outOfMemory`.
    static func read(_ file: FileReference) throws(BackboneError) -> TensorCatalog {
        var header = try SafetensorsHeader(file)
        try header.parse()
        try header.checkCoverage(file)
        return header.finish()
    }

    private init(_ file: FileReference) throws(BackboneError) {
        let prefix = try file.read(at: 0, count: 8)
        var reader = ByteReader(prefix.elements)
        guard let length = reader.uint64(), let length = Int(exactly: length), length <= Limits.safetensorsHeaderBytes,
            length <= file.size - 8
        else {
            throw BackboneError(
                .badCheckpoint,
                "its safetensors header is longer than the file or \(Limits.safetensorsHeaderBytes) bytes")
        }
        let header = try file.read(at: 8, count: length)
        guard header.elements.isText else { throw BackboneError(.badCheckpoint, "its header is not UTF-8 text") }
        json = JSONReader(header.elements)
        self.header = header
        dataStart = 8 + length
        dataSize = file.size - dataStart
    }

    private consuming func finish() -> TensorCatalog { catalog }

    private func damaged(_ message: Message) -> BackboneError {
        BackboneError.damagedFile("its safetensors header is damaged at byte \(8 + json.position): \(message)")
    }

    private mutating func parse() throws(BackboneError) {
        var hasMetadata = false
        var name = UniqueArray<UInt8>()
        guard json.take("{") else { throw damaged("expected '{'") }
        var isFirst = true
        while !json.take("}") {
            if !isFirst && !json.take(",") { throw damaged("expected ',' or '}'") }
            isFirst = false
            name.removeAll()
            guard try json.string(to: &name), json.take(":") else { throw damaged("expected a name and ':'") }
            if equal(name.elements, "__metadata__") {
                if hasMetadata { throw damaged("'__metadata__' is repeated") }
                hasMetadata = true
                try parseMetadata()
            } else {
                try parseTensor(name.elements)
            }
        }
        json.skipSpace()
        guard json.isAtEnd else { throw damaged("something follows the end") }
    }

    /// The texts are not used.
    private mutating func parseMetadata() throws(BackboneError) {
        var text = UniqueArray<UInt8>()
        guard json.take("{") else { throw damaged("'__metadata__' is not an object") }
        var isFirst = true
        while !json.take("}") {
            if !isFirst && !json.take(",") { throw damaged("expected ',' or '}'") }
            isFirst = false
            text.removeAll()
            guard try json.string(to: &text), json.take(":"), try json.string(to: &text) else {
                throw damaged("'__metadata__' has a value that is not a string")
            }
        }
    }

    private mutating func parseTensor(_ name: Bytes) throws(BackboneError) {
        var type = UniqueArray<UInt8>()
        var shape = UniqueArray<Int64>()
        var place = UniqueArray<Int64>()
        var key = UniqueArray<UInt8>()
        var hasType = false
        var hasShape = false
        guard json.take("{") else { throw damaged("'\(name)' is not an object") }
        for position in 0..<3 {
            if position > 0 && !json.take(",") { throw damaged("'\(name)' lacks dtype, shape or data_offsets") }
            key.removeAll()
            guard try json.string(to: &key), json.take(":") else { throw damaged("expected a key and ':'") }
            if equal(key.elements, "dtype"), !hasType {
                hasType = true
                guard try json.string(to: &type) else { throw damaged("the dtype of '\(name)' is not a string") }
            } else if equal(key.elements, "shape"), !hasShape {
                hasShape = true
                try parseNumbers(to: &shape, limit: Limits.dimensions, of: name)
            } else if equal(key.elements, "data_offsets"), place.isEmpty {
                try parseNumbers(to: &place, limit: 2, of: name)
            } else {
                throw damaged("'\(name)' has an unknown or repeated '\(key.elements)'")
            }
        }
        guard json.take("}") else { throw damaged("'\(name)' has more than dtype, shape and data_offsets") }
        guard place.count == 2, place[0] <= place[1], place[1] <= dataSize else {
            throw damaged("the data_offsets of '\(name)' are outside of the \(dataSize) bytes of data")
        }
        try add(name, type: type.elements, shape: shape.elements, start: Int(place[0]), end: Int(place[1]))
    }

    private mutating func parseNumbers(
        to numbers: inout UniqueArray<Int64>, limit: Int, of name: Bytes
    ) throws(BackboneError) {
        guard json.take("[") else { throw damaged("expected '[' in '\(name)'") }
        while !json.take("]") {
            if !numbers.isEmpty && !json.take(",") { throw damaged("expected ',' or ']' in '\(name)'") }
            guard let number = json.natural() else { throw damaged("expected a number in '\(name)'") }
            guard numbers.count < limit else { throw damaged("more than \(limit) numbers in a list of '\(name)'") }
            try numbers.append(Int64(number))
        }
    }

    private mutating func add(
        _ name: Bytes, type: Bytes, shape: UnsafeBufferPointer<Int64>, start: Int, end: Int
    ) throws(BackboneError) {
        let storage = try catalog.addStorage(
            TensorCatalog.Storage(position: dataStart + start, size: end - start, checksum: nil))
        guard let dtype = DType(safetensors: type) else {
            return try catalog.addUnreadable(name: name, what: UnreadTensor.describe(safetensors: type))
        }
        var size: Int? = dtype.size
        for axis in 0..<shape.count { size = checkedProduct(size, Int(shape[axis])) }
        guard size == end - start else {
            throw damaged("'\(name)' has \(end - start) bytes, which is not \(shape: shape) of \(dtype.name)")
        }
        try catalog.add(name: name, dtype: dtype, storage: storage, offset: 0, shape: shape, strides: nil)
    }

    /// Checks that the tensors follow each other and fill the file, except for zeros, so that it hides nothing.
    private func checkCoverage(_ file: FileReference) throws(BackboneError) {
        let storages = catalog.storages.elements
        let order = try sorted(count: storages.count) {
            let (a, b) = (storages[Int($0)], storages[Int($1)])
            return a.position != b.position ? a.position < b.position : a.size < b.size
        }
        var end = dataStart
        for index in order.elements {
            let storage = storages[Int(index)]
            guard storage.position == end else {
                throw BackboneError(
                    .badCheckpoint, "its tensors overlap or leave a hole at byte \(min(end, storage.position))")
            }
            end += storage.size
        }
        guard try file.hasOnlyZeros(from: end) else {
            throw BackboneError(
                .badCheckpoint, "its tensors end at byte \(end), but the file at \(dataStart + dataSize)")
        }
    }
}
