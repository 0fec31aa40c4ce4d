// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// A checkpoint that `torch.save` wrote since PyTorch 1.6: a zip archive with one folder, in it `data.pkl`, which describes
// the object, and `data/<key>`, the bytes of each storage.

private let pickleName: StaticString = "data.pkl"

/// Reads everything except the values.
///
/// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
func readTorchZip(_ file: FileReference) throws(BackboneError) -> PickledCheckpoint {
    let archive = try ZipArchive(file)
    let crc = try CRC32()
    let member = try findPickle(in: archive)
    let name = archive.name(member)
    // The folder with its slash.
    let root = name.slice(0, name.count - pickleName.utf8CodeUnitCount)
    if try archive.find(root, "constants.pkl") != nil {
        throw BackboneError(
            .badCheckpoint, "TorchScript archive; save the model's state_dict() with torch.save")
    }
    let isBigEndian = try isBigEndian(archive, root: root, file, crc)
    if let reader = try archive.largePickle(member, file, crc) {
        return try PickledCheckpoint(
            Unpickler.readOne(reader), places(archive, root: root), file, isBigEndian: isBigEndian)
    }
    let bytes = try archive.read(
        member, limit: Limits.pickleBytes, inflatedLimit: Limits.inflatedPickleBytes, from: file, crc)
    return try PickledCheckpoint(
        Unpickler.readOne(PickleReader(bytes)), places(archive, root: root), file, isBigEndian: isBigEndian)
}

/// The one member `<folder>/data.pkl`.
private func findPickle(in archive: borrowing ZipArchive) throws(BackboneError) -> Int {
    var found: Int?
    for index in 0..<archive.members.count {
        let name = archive.name(index)
        guard name.hasSuffix(pickleName), name.count > pickleName.utf8CodeUnitCount else { continue }
        let folder = name.slice(0, name.count - pickleName.utf8CodeUnitCount - 1)
        guard name[folder.count] == UInt8(ascii: "/"), !folder.contains(UInt8(ascii: "/")) else { continue }
        if let found {
            throw BackboneError(
                .badCheckpoint, "it has two checkpoints, '\(archive.name(found))' and '\(name)'; save one for each file"
            )
        }
        found = index
    }
    if let found { return found }
    for index in 0..<archive.members.count {
        let name = archive.name(index)
        if name.hasSuffix(".npy") {
            throw BackboneError(
                .badCheckpoint, "archive of NumPy arrays (.npz); save a dict of them with pickle.dump or torch.save")
        }
        if equal(name, "model.weights.h5") {
            throw BackboneError(.badCheckpoint, "Keras model; load a .pth of the same network")
        }
    }
    throw BackboneError(
        .badCheckpoint, "zip archive without a checkpoint: no data.pkl; unpack it and load the file in it")
}

/// Files from before the record `byteorder` existed are little-endian.
private func isBigEndian(
    _ archive: borrowing ZipArchive, root: Bytes, _ file: FileReference, _ crc: borrowing CRC32
) throws(BackboneError) -> Bool {
    guard let index = try archive.find(root, "byteorder") else { return false }
    let order = try archive.read(index, limit: 16, inflatedLimit: 16, from: file, crc)
    if equal(order.elements, "big") { return true }
    guard equal(order.elements, "little") else {
        throw BackboneError(.badCheckpoint, "its byte order is '\(order.elements)', expected 'little' or 'big'")
    }
    return false
}

/// The members `<folder>/data/<key>`.
private func places(_ archive: borrowing ZipArchive, root: Bytes) throws(BackboneError) -> StoragePlaces {
    var folder = UniqueArray<UInt8>()
    try folder.append(root)
    try folder.append("data/")
    var places = StoragePlaces()
    for index in 0..<archive.members.count {
        let name = archive.name(index)
        guard name.count >= folder.count, equal(name.slice(0, folder.count), folder.elements) else { continue }
        try places.add(archive.storage(index), key: name.slice(folder.count, name.count - folder.count))
    }
    try places.sort()
    return places
}

extension ZipArchive {
    fileprivate func find(_ folder: Bytes, _ file: StaticString) throws(BackboneError) -> Int? {
        var name = UniqueArray<UInt8>()
        try name.append(folder)
        try name.append(file)
        return find(name.elements)
    }
}
