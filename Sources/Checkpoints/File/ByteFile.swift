// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A file to read: an open regular file, bytes in the caller's memory, or the bytes of a stream.
///
/// The first is read with pread, never mapped: if someone shortens a mapped file, the process that reads it is killed.
// Public: see UniqueArray.
public struct ByteFile: ~Copyable {
    /// The file for readers while its owner lives.
    let reference: FileReference
    /// The open file; nil for one whose bytes are in memory.
    private let descriptor: Descriptor?
    /// The bytes of a stream.
    private let bytes: UniqueArray<UInt8>

    /// Opens a regular file, or reads a stream (a pipe, a socket, a character device) to its end.
    ///
    /// - Parameters:
    ///   - maxStreamBytes: the largest number of bytes of a stream.
    ///   - cancellation: ends waits for a stream, and reading.
    ///   - check: throws for the beginning of a long stream that must not be read to its end.
    /// - Throws: `fileNotFound`; `io` for a path that cannot be opened, such as a folder, and for a stream that is too
    ///   long; what `check` throws; `outOfMemory`, `cancelled`.
    init(
        path: UnsafePointer<CChar>, maxStreamBytes: Int = Limits.streamBytes, _ cancellation: Cancellation = .none,
        check: (FileReference) throws(BackboneError) -> Void
    ) throws(BackboneError) {
        let descriptor = try Descriptor(path)
        let status = try descriptor.status()
        if descriptor.isRegularFile(status) {
            descriptor.clearNonblocking()
            reference = FileReference(
                place: .descriptor(descriptor.number), size: Int(status.st_size), cancellation: cancellation)
            bytes = UniqueArray()
            self.descriptor = consume descriptor
        } else {
            try descriptor.requireStream(status)
            let bytes = try Stream(descriptor).readAll(most: maxStreamBytes, cancellation, check: check)
            reference = FileReference(bytes.elements, cancellation)
            self.bytes = bytes
            self.descriptor = nil
        }
    }

    /// - Parameters:
    ///   - memory: not copied; must live as long as this.
    ///   - cancellation: ends reading.
    init(memory: UnsafeRawBufferPointer, _ cancellation: Cancellation = .none) {
        bytes = UniqueArray()
        descriptor = nil
        reference = FileReference(place: .memory(memory.baseAddress), size: memory.count, cancellation: cancellation)
    }

    /// A file that another value owns, which must live as long as this.
    init(sharing reference: FileReference) {
        bytes = UniqueArray()
        descriptor = nil
        self.reference = reference
    }

    var size: Int { reference.size }

    /// See `FileReference.read`.
    func read(at offset: Int, count: Int) throws(BackboneError) -> UniqueArray<UInt8> {
        try reference.read(at: offset, count: count)
    }
}

/// A borrowed file: valid while the `ByteFile` it is from lives.
///
/// Readers get a copy, from memory too: checked data must not change before use, even if someone writes to the file or
/// the memory.
struct FileReference: BitwiseCopyable {
    fileprivate enum Place: BitwiseCopyable {
        case descriptor(Int32)
        /// Nil for zero bytes.
        case memory(UnsafeRawPointer?)
    }

    fileprivate let place: Place
    /// Its length in bytes when it was opened.
    let size: Int
    /// Checked in each read, since every long operation reads repeatedly.
    let cancellation: Cancellation

    fileprivate init(place: Place, size: Int, cancellation: Cancellation) {
        self.place = place
        self.size = size
        self.cancellation = cancellation
    }

    /// Bytes in memory, as a file.
    init(_ bytes: Bytes, _ cancellation: Cancellation = .none) {
        self.init(place: .memory(bytes.baseAddress), size: bytes.count, cancellation: cancellation)
    }

    /// Reads bytes `offset ..< offset + count` of the file.
    ///
    /// - Throws: `io`; `badCheckpoint` if the file has no such bytes, or no longer; `cancelled`.
    func read(at offset: Int, count: Int, into memory: UnsafeMutableRawPointer) throws(BackboneError) {
        guard offset >= 0, count >= 0, let end = checkedSum(offset, count), end <= size else {
            throw BackboneError.damagedFile("it ends at byte \(size), expected \(count) bytes at byte \(offset)")
        }
        try cancellation.check()
        switch place {
        case .descriptor(let descriptor): try read(descriptor, at: offset, count: count, into: memory)
        case .memory(let start): if let start { memcpy(memory, start + offset, count) }
        }
    }

    private func read(
        _ descriptor: Int32, at offset: Int, count: Int, into memory: UnsafeMutableRawPointer
    ) throws(BackboneError) {
        var done = 0
        while done < count {
            let got = pread(descriptor, memory + done, count - done, off_t(offset + done))
            if got > 0 {
                done += got
            } else if got == 0 {
                throw BackboneError(
                    .badCheckpoint,
                    "it was shortened to \(offset + done) bytes during the load; load it again once it is complete")
            } else if shims_errno() != EINTR {
                throw BackboneError.system("cannot read it", shims_errno())
            }
        }
    }

    /// Bytes `offset ..< offset + count` of the file in memory of their own.
    func read(at offset: Int, count: Int) throws(BackboneError) -> UniqueArray<UInt8> {
        // Allocations are bounded by the actual size of the file.
        guard count >= 0, count <= size else {
            throw BackboneError(.badCheckpoint, "it has \(size) bytes, but a part of it \(count)")
        }
        var bytes = try UniqueArray<UInt8>(repeating: 0, count: count)
        if let start = bytes.mutableElements.baseAddress { try read(at: offset, count: count, into: start) }
        return bytes
    }
}
