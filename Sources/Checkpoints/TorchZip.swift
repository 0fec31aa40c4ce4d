// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A checkpoint that `torch.save` wrote since PyTorch 1.6: a zip archive with one folder, in it `data.pkl`, which
/// describes the object, and `data/<key>`, the bytes of each storage.
struct TorchZip: ~Copyable {
    let archive: ZipArchive
    let pickle: Pickle
    /// The folder with its slash, a part of the name of `data.pkl`.
    private let root: UniqueArray<UInt8>

    private static var pickleName: StaticString { "data.pkl" }

    /// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
    init(_ file: borrowing ByteFile) throws(BackboneError) {
        let archive = try ZipArchive(file)
        let crc = try CRC32()
        let root = try TorchZip.findRoot(of: archive)
        try TorchZip.checkByteOrder(archive, root: root.elements, file, crc)
        pickle = try TorchZip.readPickle(archive, root: root.elements, file, crc)
        self.archive = archive
        self.root = root
    }

    /// The folder that the one member `<folder>/data.pkl` is in.
    private static func findRoot(of archive: borrowing ZipArchive) throws(BackboneError) -> UniqueArray<UInt8> {
        let name = archive.name(try findPickle(in: archive))
        var root = UniqueArray<UInt8>()
        try root.append(name.slice(0, name.count - pickleName.utf8CodeUnitCount))
        return root
    }

    private static func readPickle(
        _ archive: borrowing ZipArchive, root: Bytes, _ file: borrowing ByteFile, _ crc: borrowing CRC32
    ) throws(BackboneError) -> Pickle {
        if try archive.find(root, "constants.pkl") != nil {
            throw BackboneError(
                .badCheckpoint, "it is a TorchScript archive; save the model's state_dict() with torch.save instead")
        }
        let member = try findPickle(in: archive)
        let size = archive.members[member].size
        guard size <= Limits.pickleBytes else {
            throw BackboneError(.badCheckpoint, "its pickle has \(size) bytes, which is absurd")
        }
        return try Unpickler.read(archive.read(member, from: file, crc))
    }

    /// The one member `<folder>/data.pkl`.
    private static func findPickle(in archive: borrowing ZipArchive) throws(BackboneError) -> Int {
        var found: Int?
        for index in 0..<archive.members.count {
            let name = archive.name(index)
            guard name.hasSuffix(pickleName), name.count > pickleName.utf8CodeUnitCount else { continue }
            let folder = name.slice(0, name.count - pickleName.utf8CodeUnitCount - 1)
            guard name[folder.count] == UInt8(ascii: "/"), !folder.contains(UInt8(ascii: "/")) else { continue }
            if let found {
                throw BackboneError(
                    .badCheckpoint, "it holds two checkpoints: '\(archive.name(found))' and '\(name)'")
            }
            found = index
        }
        guard let found else {
            throw BackboneError(.badCheckpoint, "it is a zip archive, but no checkpoint: there is no data.pkl in it")
        }
        return found
    }

    /// Files from before the record `byteorder` existed are little-endian.
    private static func checkByteOrder(
        _ archive: borrowing ZipArchive, root: Bytes, _ file: borrowing ByteFile, _ crc: borrowing CRC32
    ) throws(BackboneError) {
        guard let index = try archive.find(root, "byteorder") else { return }
        guard archive.members[index].size <= 16 else { throw BackboneError(.badCheckpoint, "its byte order is absurd") }
        let order = try archive.read(index, from: file, crc)
        guard equal(order.elements, "little") else {
            throw BackboneError(.badCheckpoint, "its byte order is '\(order.elements)', only 'little' is read")
        }
    }

    /// The member with the bytes of a storage.
    func member(ofStorage key: Bytes) throws(BackboneError) -> Int? {
        // Names of members are short, but a hostile pickle may mention one long string again and again.
        guard key.count <= Limits.nameBytes else { return nil }
        var name = UniqueArray<UInt8>()
        try name.append(root.elements)
        try name.append("data/")
        try name.append(key)
        return archive.find(name.elements)
    }
}

extension ZipArchive {
    func find(_ folder: Bytes, _ file: StaticString) throws(BackboneError) -> Int? {
        var name = UniqueArray<UInt8>()
        try name.append(folder)
        try name.append(file)
        return find(name.elements)
    }
}
