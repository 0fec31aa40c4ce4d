// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// A checkpoint that `torch.save` wrote from PyTorch 0.1.10 to 1.5, and still does on request: five pickles one
// after another (magic number, version of the protocol, properties of the system, the object, the keys of its storages)
// and then the storages in the order of the keys, each as a number of elements in eight bytes and its bytes.
//
// Numbers are little-endian on every system, whatever the properties say: PyTorch has always converted them.

private let protocolVersion = 1001

/// Reads everything except the values of a checkpoint that is a part of a file.
///
/// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
///
/// - Parameter mayEndInZeros: whether zeros may follow.
func readLegacyCheckpoint(
    _ file: FileReference, _ range: Range<Int>, mayEndInZeros: Bool = false
) throws(BackboneError) -> PickledCheckpoint {
    let beginning = try file.read(at: range.lowerBound, count: min(range.count, 32))
    guard isLegacyCheckpoint(beginning.elements) else {
        throw BackboneError.damagedFile("it does not begin like a file of torch.save")
    }
    var unpickler = try Unpickler(PickleReader(file, range))
    _ = try unpickler.read()
    let version = try unpickler.read()
    guard unpickler.pickle.integer(version) == protocolVersion else {
        throw BackboneError(
            .badCheckpoint,
            "its protocol version is \(unpickler.pickle.integer(version) ?? 0), expected \(protocolVersion)")
    }
    _ = try unpickler.read()
    unpickler.pickle.root = try unpickler.read()
    let keys = try unpickler.read()
    let places = try readPlaces(&unpickler, keys: keys, file, mayEndInZeros: mayEndInZeros)
    return PickledCheckpoint(unpickler.finish(), places, file)
}

/// Reads the only storage of such a file.
func readLegacyStorage(
    _ file: FileReference, _ range: Range<Int>
) throws(BackboneError) -> (place: TensorCatalog.Storage, dtype: DType) {
    try onlyStorage(of: readLegacyCheckpoint(file, range))
}

private func onlyStorage(
    of checkpoint: borrowing PickledCheckpoint
) throws(BackboneError) -> (place: TensorCatalog.Storage, dtype: DType) {
    let root = checkpoint.pickle[checkpoint.pickle.root]
    guard root.kind == .storage else {
        throw BackboneError.damagedFile(
            "it holds \(checkpoint.pickle.describe(checkpoint.pickle.root)), expected a storage")
    }
    let storage = checkpoint.pickle.storages[Int(root.first)]
    guard case .key(let text) = storage.source, let dtype = storage.dtype, let count = storage.elementCount,
        let key = checkpoint.pickle.texts[Int(text)].value,
        let index = checkpoint.places.find(checkpoint.pickle.text(key)), storage.view == nil,
        checkedProduct(count, dtype.size) == checkpoint.places[index].size
    else { throw BackboneError.damagedFile("its bytes are missing, or their number differs from its size") }
    return (checkpoint.places[index], dtype)
}

/// Iterates over the storages to the end of the file.
private func readPlaces(
    _ unpickler: inout Unpickler, keys: UInt32, _ file: FileReference, mayEndInZeros: Bool
) throws(BackboneError) -> StoragePlaces {
    var places = StoragePlaces()
    guard unpickler.pickle[keys].kind == .list else {
        throw BackboneError.damagedFile("it has no list of the storages' keys")
    }
    let claims = try StorageClaims(unpickler.pickle)
    var pair = unpickler.pickle[keys].first
    while pair != PickleValue.none {
        let entry = unpickler.pickle.pairs[Int(pair)]
        pair = entry.next
        guard let key = unpickler.pickle.string(entry.value), let size = claims.elementSize(key, unpickler.pickle)
        else { throw BackboneError.damagedFile("its list of keys has a storage that no tensor uses") }
        let place = try readPlace(&unpickler.reader, elementSize: size, of: key)
        try places.add(place, key: key)
    }
    var isEnd = unpickler.reader.remaining == 0
    if !isEnd && mayEndInZeros { isEnd = try file.hasOnlyZeros(from: unpickler.reader.position) }
    guard isEnd else {
        throw BackboneError.damagedFile(
            "\(unpickler.reader.remaining) bytes follow the last storage, at byte \(unpickler.reader.position)")
    }
    try places.sort()
    return places
}

/// Reads a storage in the form of PyTorch's files without a zip archive: the number of elements, and then their bytes.
func readPlace(
    _ reader: inout PickleReader, elementSize: Int, of key: Bytes
) throws(BackboneError) -> TensorCatalog.Storage {
    guard let count = try reader.uint64() else {
        throw BackboneError.damagedFile("it ends before the storage '\(key)'")
    }
    let position = reader.position
    guard let count = Int(exactly: count), let size = checkedProduct(count, elementSize), reader.skip(size) else {
        throw BackboneError.damagedFile(
            """
            the storage '\(key)' at byte \(position) is said to have \(count) elements of \(elementSize) bytes, but \
            \(reader.remaining) bytes are left
            """)
    }
    return TensorCatalog.Storage(position: position, size: size, checksum: nil)
}
