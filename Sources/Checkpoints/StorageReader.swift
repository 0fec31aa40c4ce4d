// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Reads storages in pieces that stay in cache, and checks their checksums. Several threads may read at a time.
struct StorageReader: ~Copyable {
    private let crc: CRC32
    /// One for each thread.
    private let pieces: Buffer<UInt8>

    /// - Parameter workers: how many threads there are.
    init(workers: Int) throws(BackboneError) {
        let crc = try CRC32()
        guard let count = checkedProduct(workers, Limits.chunkBytes) else {
            throw BackboneError(.outOfMemory, "cannot allocate memory for \(workers) threads")
        }
        pieces = try Buffer<UInt8>(count: count)
        self.crc = crc
    }

    /// Reads a storage of `catalog` to where its bytes are wanted.
    ///
    /// - Parameters:
    ///   - name: of a tensor in it, for messages.
    ///   - look: is shown each piece while it is in the cache, with its place and size.
    func read(
        _ storage: TensorCatalog.Storage, of name: Bytes, from catalog: borrowing TensorCatalog, _ file: FileReference,
        into memory: UnsafeMutableRawPointer, look: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        try read(storage, of: name, from: catalog, file, to: { memory + $0 }, use: look)
    }

    /// Reads a storage piece by piece and shows each to `use` with its first byte's place and its size. A storage is
    /// shown in part even if its checksum turns out wrong.
    ///
    /// - Parameter worker: less than the number of threads; no other thread's at the time.
    func read(
        _ storage: TensorCatalog.Storage, of name: Bytes, from catalog: borrowing TensorCatalog, _ file: FileReference,
        worker: Int, use: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        let piece = UnsafeMutableRawPointer(pieces.start + worker * Limits.chunkBytes)
        try read(storage, of: name, from: catalog, file, to: { _ in piece }, use: use)
    }

    @inline(__always)
    private func read(
        _ storage: TensorCatalog.Storage, of name: Bytes, from catalog: borrowing TensorCatalog, _ file: FileReference,
        to place: (_ start: Int) -> UnsafeMutableRawPointer,
        use: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        do throws(BackboneError) {
            var stream = try StorageStream(storage, in: file, memory: catalog.memory.elements)
            var checksum: UInt32 = 0
            var start = 0
            while start < storage.size {
                let count = min(Limits.chunkBytes, storage.size - start)
                let memory = place(start)
                try stream.read(count, into: memory)
                if storage.checksum != nil { checksum = crc.update(checksum, memory, count: count) }
                reverse(memory, count: count, elementSize: storage.reversedSize)
                use(memory, start, count)
                start += count
            }
            try stream.finish()
            if let expected = storage.checksum, expected != checksum {
                throw BackboneError(.badCheckpoint, "its checksum is wrong")
            }
        } catch {
            guard error.kind == .badCheckpoint else { throw error }
            throw BackboneError(error.kind, "the storage of tensor '\(name)' is damaged: \(error.message)")
        }
    }
}

/// The bytes of a storage from front to back, whatever form they are kept in.
struct StorageStream: ~Copyable {
    private let file: FileReference
    private let memory: UnsafePointer<UInt8>?
    private var position: Int
    private var inflater: Inflater?
    private var text: PickledText?

    /// - Parameter memory: the catalog's, which must outlive this.
    init(
        _ storage: TensorCatalog.Storage, in file: FileReference, memory: Bytes
    ) throws(BackboneError) {
        self.file = file
        position = storage.position
        switch storage.place {
        case .file:
            self.memory = nil
            inflater = nil
            text = nil
        case .memory:
            self.memory = memory.baseAddress
            inflater = nil
            text = nil
        case .deflated(let packedSize):
            self.memory = nil
            inflater = try Inflater(file, position: storage.position, packedSize: packedSize)
            text = nil
        case .written(let form, let count):
            self.memory = nil
            inflater = nil
            text = try PickledText(file, form, position: storage.position, count: count)
        }
    }

    /// Reads the next `count` bytes, which the storage must have.
    mutating func read(_ count: Int, into out: UnsafeMutableRawPointer) throws(BackboneError) {
        if inflater != nil {
            try inflater?.read(count, into: out)
        } else if text != nil {
            try text?.read(count, into: out)
        } else if let memory {
            memcpy(out, memory + position, count)
        } else {
            try file.read(at: position, count: count, into: out)
        }
        position += count
    }

    /// Checks that nothing follows what has been read.
    mutating func finish() throws(BackboneError) {
        if inflater != nil { try inflater?.finish() }
        if text != nil { try text?.finish() }
    }
}

/// Puts the bytes of each number into the opposite order.
private func reverse(_ memory: UnsafeMutableRawPointer, count: Int, elementSize: Int) {
    switch elementSize {
    case 2: reverse(memory.assumingMemoryBound(to: UInt16.self), count: count / 2)
    case 4: reverse(memory.assumingMemoryBound(to: UInt32.self), count: count / 4)
    case 8: reverse(memory.assumingMemoryBound(to: UInt64.self), count: count / 8)
    default: break
    }
}

@inline(__always)
private func reverse<Number: FixedWidthInteger>(_ numbers: UnsafeMutablePointer<Number>, count: Int) {
    for index in 0..<count { numbers[index] = numbers[index].byteSwapped }
}
