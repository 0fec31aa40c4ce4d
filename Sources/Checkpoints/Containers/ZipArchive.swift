// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A zip archive of stored members, as PyTorch writes it, or of deflated ones, as other tools do, that can be read in
/// one way only.
///
/// Readers of zip archives disagree about archives that contradict themselves, and attackers have made files that a
/// scanner and a loader read differently. So redundant fields must agree: the end record is unique, the central
/// directory is authoritative, each local header agrees with it, members neither repeat nor overlap, and no gap between
/// them could hold another. (Format: PKWARE APPNOTE.TXT 6.3.)
struct ZipArchive: ~Copyable {
    static var storedMethod: UInt16 { 0 }
    static var deflatedMethod: UInt16 { 8 }

    struct Member {
        /// The range of its name in the central directory.
        var name: TextRange
        var flags: UInt16
        var method: UInt16
        var checksum: UInt32
        /// Sizes of its bytes, and of their stored form in the file.
        var size: Int
        var packedSize: Int
        /// Position of the local header in the file.
        var header: Int
        /// Position of the stored form of its bytes in the file.
        var payload = 0
    }

    private(set) var members: UniqueArray<Member>
    private let directory: UniqueArray<UInt8>
    /// The members in the order of their names.
    private let order: UniqueArray<Int32>
    /// False if all checksums are zero, as PyTorch writes them when told not to compute any.
    let hasChecksums: Bool

    /// - Throws: `badCheckpoint` naming the member at fault, `io`, `outOfMemory`.
    init(_ file: FileReference) throws(BackboneError) {
        let location = try ZipDirectoryLocation(file)
        let directory = try file.read(at: location.start, count: location.size)
        var members = try parseZipDirectory(directory.elements, count: location.memberCount)
        try resolveLocalHeaders(of: &members, in: file, names: directory.elements, end: location.start)
        let order = try orderedByName(members.elements, names: directory.elements)
        var hasChecksums = false
        for member in members.elements where member.checksum != 0 { hasChecksums = true }
        // Only now, as a struct that owns memory must not be partly initialised.
        self.directory = directory
        self.members = members
        self.order = order
        self.hasChecksums = hasChecksums
    }

    func name(_ index: Int) -> Bytes { directory.elements.slice(members[index].name) }

    func find(_ name: Bytes) -> Int? {
        search(order.elements) { compare(self.name(Int($0)), name) }
    }

    /// The position of the bytes of a member.
    func storage(_ index: Int) -> TensorCatalog.Storage {
        let member = members[index]
        return TensorCatalog.Storage(
            position: member.payload, size: member.size, checksum: hasChecksums ? member.checksum : nil,
            place: member.method == ZipArchive.deflatedMethod ? .deflated(member.packedSize) : .file)
    }

    /// The bytes of a member, checked against its checksum.
    ///
    /// - Parameters:
    ///   - limit: the largest plausible number of bytes.
    ///   - inflatedLimit: the same for a deflated member, which can be larger than the file.
    func read(
        _ index: Int, limit: Int, inflatedLimit: Int, from file: FileReference, _ crc: borrowing CRC32
    ) throws(BackboneError) -> UniqueArray<UInt8> {
        let storage = storage(index)
        let isDeflated = members[index].method == ZipArchive.deflatedMethod
        let limit = isDeflated ? min(limit, inflatedLimit) : limit
        guard storage.size <= limit else {
            throw BackboneError(
                .badCheckpoint,
                """
                its \(isDeflated ? "compressed " : "" as StaticString)record '\(name(index))' has \(storage.size) bytes, \
                more than \(limit)
                """)
        }
        var bytes = try UniqueArray<UInt8>(repeating: 0, count: storage.size)
        do throws(BackboneError) {
            var stream = try StorageStream(storage, in: file, memory: Bytes(start: nil, count: 0))
            if let start = bytes.mutableElements.baseAddress { try stream.read(bytes.count, into: start) }
            try stream.finish()
        } catch {
            throw BackboneError(error.kind, "its record '\(name(index))': \(error.message)")
        }
        if let expected = storage.checksum, let start = bytes.elements.baseAddress,
            crc.update(0, start, count: bytes.count) != expected
        {
            throw BackboneError.damagedFile("its record '\(name(index))' is damaged: the checksum is wrong")
        }
        return bytes
    }
}

/// The members' indices in the order of their names.
private func orderedByName(
    _ members: UnsafeBufferPointer<ZipArchive.Member>, names: Bytes
) throws(BackboneError) -> UniqueArray<Int32> {
    func name(_ index: Int32) -> Bytes { names.slice(members[Int(index)].name) }
    let order = try sorted(count: members.count) { compare(name($0), name($1)) < 0 }
    let list = order.elements
    for index in 1..<max(list.count, 1) where equal(name(list[index - 1]), name(list[index])) {
        throw BackboneError(.badCheckpoint, "the zip archive has two members '\(name(list[index]))'")
    }
    return order
}
