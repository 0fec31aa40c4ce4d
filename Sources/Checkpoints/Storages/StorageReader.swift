// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Reads storages in pieces that stay in cache, and checks their checksums. Several threads may read at a time.
struct StorageReader: ~Copyable {
    private let crc: CRC32
    /// One for each thread.
    private let pieces: Buffer<UInt8>

    /// - Parameter workers: the number of threads.
    init(workers: Int) throws(BackboneError) {
        let crc = try CRC32()
        guard let count = checkedProduct(workers, Limits.chunkBytes) else {
            throw BackboneError(.outOfMemory, "cannot allocate memory for \(workers) threads; \(Heap.noMemoryCure)")
        }
        pieces = try Buffer<UInt8>(count: count)
        self.crc = crc
    }

    /// Reads a storage of `catalog` to its destination.
    ///
    /// - Parameters:
    ///   - name: of a tensor in it, for messages.
    ///   - look: receives each piece while it is in the cache, with its offset and size.
    func read(
        _ storage: TensorCatalog.Storage, of name: Bytes, from catalog: borrowing TensorCatalog, _ file: FileReference,
        into memory: UnsafeMutableRawPointer, look: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        try read(
            storage, 0..<storage.size, of: name, from: catalog, file, to: { memory + $0 }, use: look)
    }

    /// Reads a part of a storage piece by piece and passes each to `use` with its first byte's place and its size.
    /// Parts of a storage are passed even if its checksum turns out wrong.
    ///
    /// - Parameter worker: less than the number of threads; no other thread's at the time.
    func read(
        _ storage: TensorCatalog.Storage, _ range: Range<Int>, of name: Bytes, from catalog: borrowing TensorCatalog,
        _ file: FileReference, worker: Int, use: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        let piece = UnsafeMutableRawPointer(pieces.start + worker * Limits.chunkBytes)
        try read(storage, range, of: name, from: catalog, file, to: { _ in piece }, use: use)
    }

    /// The same, directly into the destination, with as many bytes at a time as fit; for one thread.
    ///
    /// - Parameter window: a multiple of `Limits.chunkBytes`.
    func read(
        _ storage: TensorCatalog.Storage, _ extent: StorageExtent, of name: Bytes,
        from catalog: borrowing TensorCatalog, _ file: FileReference, window: borrowing Buffer<UInt8>,
        use: (_ part: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        let first = extent.needed.lowerBound / Limits.chunkBytes * Limits.chunkBytes
        let end = extent.needed.upperBound
        let (part, size) = (UnsafeMutableRawPointer(window.start), window.count)
        let piece = UnsafeMutableRawPointer(pieces.start)
        try read(
            storage, extent.read, of: name, from: catalog, file,
            to: { start in start >= first && start < end ? part + (start - first) % size : piece },
            use: { _, start, count in
                guard start >= first && start < end else { return }
                let offset = (start - first) % size
                if offset + count == size || start + count >= end { use(part, start - offset, offset + count) }
            })
    }

    /// - Parameter range: of bytes of the storage. If it is the whole storage, its checksum and its end are checked.
    @inline(__always)
    private func read(
        _ storage: TensorCatalog.Storage, _ range: Range<Int>, of name: Bytes, from catalog: borrowing TensorCatalog,
        _ file: FileReference, to place: (_ start: Int) -> UnsafeMutableRawPointer,
        use: (_ piece: UnsafeRawPointer, _ start: Int, _ count: Int) -> Void
    ) throws(BackboneError) {
        do throws(BackboneError) {
            var stream = try StorageStream(storage, from: range.lowerBound, in: file, memory: catalog.memory.elements)
            let isWhole = range == 0..<storage.size
            let expected = isWhole ? storage.checksum : nil
            var checksum: UInt32 = 0
            var start = range.lowerBound
            while start < range.upperBound {
                let count = min(Limits.chunkBytes, range.upperBound - start)
                let memory = place(start)
                try stream.read(count, into: memory)
                if expected != nil { checksum = crc.update(checksum, memory, count: count) }
                reverse(memory, count: count, elementSize: storage.reversedSize)
                use(memory, start, count)
                start += count
            }
            if isWhole { try stream.finish() }
            if let expected, expected != checksum {
                throw BackboneError(.badCheckpoint, "its checksum is wrong")
            }
        } catch {
            guard error.kind == .badCheckpoint else { throw error }
            throw BackboneError.damagedFile("the storage of tensor '\(name)' is damaged: \(error.message)")
        }
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
