// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// Path of a file that Tests/Fixtures/generate_checkpoints.py has written.
func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/checkpoints/\(name)").path
}

func fixtureBytes(_ name: String) throws -> [UInt8] {
    // Data(contentsOf:) leaks where a file is empty, which the leak sanitizer sees.
    let file = try #require(FileHandle(forReadingAtPath: fixture(name)), "\(name)")
    return try Array(file.readToEnd() ?? Data())
}

func fixtureLines(_ name: String) throws -> [String] {
    try String(contentsOfFile: fixture(name), encoding: .utf8).split(separator: "\n").map(String.init)
}

/// The little-endian float32 bits in a file.
func fixtureBits(_ name: String) throws -> [UInt32] {
    let bytes = try fixtureBytes(name)
    return stride(from: 0, to: bytes.count, by: 4).map { index in
        bytes[index..<index + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}

extension BackboneError {
    var text: String { string(message) }
}

func string(_ message: Message) -> String {
    var buffer = [CChar](repeating: 0, count: Message.capacity + 1)
    message.write(to: &buffer)
    return String(decoding: buffer.prefix(message.count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// A tensor as tests compare it.
struct Loaded: Equatable {
    var shape: [Int64]
    var bits: [UInt32] = []
    var integers: [Int64] = []
}

extension StateDict {
    /// Our name of a tensor, or the file's if we have none.
    func nameString(_ index: Int) -> String { String(decoding: name(index) ?? nameInFile(index), as: UTF8.self) }

    var wrapperString: String { String(decoding: wrapper.elements, as: UTF8.self) }
    var prefixString: String { String(decoding: prefix.elements, as: UTF8.self) }
}

extension StateDict {
    /// Names of a small ResNet.
    private static func grammars() throws -> UniqueArray<NameGrammar> {
        var grammars = UniqueArray<NameGrammar>()
        let table: StaticString = """
            place conv1.weight layer1.0.conv1.weight
            conv1.* conv1.*
            bn1.* bn1.*
            layer{s}.{b}.* layer{s}.{b}.*
            * *
            """
        try grammars.append(NameGrammar(name: "small", table: table))
        return grammars
    }

    /// Opens a file in which a network's names are those of a small ResNet.
    init(file path: String) throws { try self.init(path: path, grammars: StateDict.grammars()) }

    /// The same in memory.
    init(bytes memory: UnsafeRawBufferPointer) throws { try self.init(memory: memory, grammars: StateDict.grammars()) }
}

/// Everything that can be read in a checkpoint, by way of the same calls as the library's.
///
/// - Parameter threads: how many share the storages, however small these are.
func load(_ path: String, threads: Int = 1) throws -> [(name: String, tensor: Loaded)] {
    try readAll(StateDict(file: path), threads: threads)
}

/// The same of a checkpoint in memory, whose last byte ends its block.
func load(memory bytes: [UInt8]) throws -> [(name: String, tensor: Loaded)] {
    // Aligned for nothing.
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 16)
    defer { block.deallocate() }
    let memory = UnsafeMutableRawBufferPointer(rebasing: block[1...])
    memory.copyBytes(from: bytes)
    let result = try readAll(StateDict(bytes: UnsafeRawBufferPointer(memory)))
    #expect(memory.elementsEqual(bytes), "the memory was written to")
    return result
}

private func readAll(
    _ dict: borrowing StateDict, threads: Int = 1
) throws -> [(name: String, tensor: Loaded)] {
    var result: [(name: String, tensor: Loaded)] = []
    var floats: [UnsafeMutablePointer<Float>?] = []
    var integers: [UnsafeMutablePointer<Int64>?] = []
    defer {
        floats.forEach { $0?.deallocate() }
        integers.forEach { $0?.deallocate() }
    }
    var counts: [Int] = []
    var destinations = UniqueArray<TensorDestination>()
    for index in 0..<dict.count {
        guard let dtype = dict.dtype(index) else { continue }
        let shape = Array(dict.shape(index))
        let count = Int(shape.reduce(1, *))
        // No network expects so much of a damaged file, and with strides of 0 there need not be so much in it.
        if count > 1 << 20 { throw dict.located(BackboneError(.badCheckpoint, "tensor \(index) is absurdly large")) }
        result.append((dict.nameString(index), Loaded(shape: shape)))
        counts.append(count)
        // One more that must stay as it is.
        if dtype.isFloatingPoint {
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: count + 1)
            memory.initialize(repeating: 12345, count: count + 1)
            try destinations.append(TensorDestination(tensor: index, float32: memory))
            floats.append(memory)
            integers.append(nil)
        } else {
            let memory = UnsafeMutablePointer<Int64>.allocate(capacity: count + 1)
            memory.initialize(repeating: 12345, count: count + 1)
            try destinations.append(TensorDestination(tensor: index, int64: memory))
            floats.append(nil)
            integers.append(memory)
        }
    }
    try dict.read(destinations, ThreadPool(threads: threads), leastShared: 0)
    for (position, count) in counts.enumerated() {
        if let memory = floats[position] {
            result[position].tensor.bits = (0..<count).map { memory[$0].bitPattern }
            precondition(memory[count] == 12345, "written beyond the end")
        }
        if let memory = integers[position] {
            result[position].tensor.integers = (0..<count).map { memory[$0] }
            precondition(memory[count] == 12345, "written beyond the end")
        }
    }
    return result
}

/// The error that opening and reading everything in a file ends with, nil if it does not.
func failure(_ path: String, threads: Int = 1) -> BackboneError? { failure { try load(path, threads: threads) } }

func failure(memory bytes: [UInt8]) -> BackboneError? { failure { try load(memory: bytes) } }

private func failure(_ body: () throws -> [(name: String, tensor: Loaded)]) -> BackboneError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? BackboneError
    }
}

/// A folder for the files of one test, removed at its end.
final class Scratch {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("backbone-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted() }
}

/// What a network expects, as text and numbers that live as long as this.
final class Expectation {
    private var names: [UnsafeMutableBufferPointer<UInt8>] = []
    private var shapes: [UnsafeMutableBufferPointer<Int64>] = []
    private let entries: [(name: String, shape: [Int64], kind: ExpectedTensor.Kind, mayBeMissing: Bool)]

    init(_ entries: [(name: String, shape: [Int64], kind: ExpectedTensor.Kind, mayBeMissing: Bool)]) {
        self.entries = entries
        for entry in entries {
            let name = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: entry.name.utf8.count)
            _ = name.initialize(from: entry.name.utf8)
            names.append(name)
            let shape = UnsafeMutableBufferPointer<Int64>.allocate(capacity: entry.shape.count)
            _ = shape.initialize(from: entry.shape)
            shapes.append(shape)
        }
    }

    convenience init(_ entries: [(String, [Int64])]) {
        self.init(entries.map { ($0.0, $0.1, .float32, false) })
    }

    deinit {
        names.forEach { $0.deallocate() }
        shapes.forEach { $0.deallocate() }
    }

    func match(_ dict: borrowing StateDict, ignorable: [StaticString] = []) throws -> LoadReport {
        var expected = UniqueArray<ExpectedTensor>()
        for (index, entry) in entries.enumerated() {
            try expected.append(
                ExpectedTensor(
                    name: UnsafeBufferPointer(names[index]), shape: UnsafeBufferPointer(shapes[index]),
                    dtype: entry.kind, mayBeMissing: entry.mayBeMissing))
        }
        return try dict.match(expected) { index in
            let name = String(decoding: dict.nameInFile(index), as: UTF8.self)
            return ignorable.contains { name.hasPrefix("\($0)") } ? .ignorable : .unexpected
        }
    }
}

extension LoadReport {
    func names(_ nameClass: NameClass) -> [String] {
        (0..<count(of: nameClass)).compactMap { entry(nameClass, $0).map { String(cString: $0.name) } }
    }
}
