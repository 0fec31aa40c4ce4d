// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A checkpoint that a pickle describes, whatever container it is in: the pickle, and where the numbers of its storages
/// lie.
struct PickledCheckpoint: ~Copyable {
    let pickle: Pickle
    let places: StoragePlaces
    /// Whether the numbers of all storages are written with their most significant byte first.
    let isBigEndian: Bool
    /// Valid while the `ByteFile` it is from lives.
    let file: FileReference

    /// Reads everything but the numbers.
    ///
    /// - Parameter container: of a kind that has a pickle: all but safetensors and the index of shards.
    /// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
    init(_ file: FileReference, _ container: Container) throws(BackboneError) {
        switch container {
        case .zip: self = try readTorchZip(file)
        case .legacy: self = try readLegacyCheckpoint(file, 0..<file.size, mayEndInZeros: true)
        case .tar: self = try readTarCheckpoint(file)
        case .pickle, .safetensors, .index:
            // The last byte of a pickle is an instruction that is not zero.
            let pickle = try Unpickler.readOne(PickleReader(file, 0..<file.sizeWithoutTrailingZeros()))
            self.init(pickle, StoragePlaces(), file)
        }
    }

    init(
        _ pickle: consuming Pickle, _ places: consuming StoragePlaces, _ file: FileReference, isBigEndian: Bool = false
    ) {
        self.pickle = pickle
        self.places = places
        self.file = file
        self.isBigEndian = isBigEndian
    }
}

/// Where a container keeps the storages that its pickle names by keys or numbers.
struct StoragePlaces: ~Copyable {
    private var places = UniqueArray<TensorCatalog.Storage>()
    private var keys = UniqueArray<TextRange>()
    private var text = UniqueArray<UInt8>()
    /// Those with keys, in the order of the keys.
    private var order = UniqueArray<Int32>()

    var count: Int { places.count }

    subscript(index: Int) -> TensorCatalog.Storage { places[index] }

    func key(_ index: Int) -> Bytes { text.elements.slice(keys[index]) }

    /// Adds a place, which is found by its key once `sort` was called.
    mutating func add(_ place: TensorCatalog.Storage, key: Bytes) throws(BackboneError) {
        let start = text.count
        try text.append(key)
        guard text.count <= Limits.pickleBytes else {
            throw BackboneError(.badCheckpoint, "the keys of its storages have more than \(Limits.pickleBytes) bytes")
        }
        try keys.append(TextRange(start: UInt32(start), count: UInt32(key.count)))
        try places.append(place)
    }

    /// - Throws: `badCheckpoint` if two have the same key.
    mutating func sort() throws(BackboneError) {
        while order.count < places.count { try order.append(Int32(order.count)) }
        let (keys, text) = (keys.elements, text.elements)
        func key(_ index: Int32) -> Bytes { text.slice(keys[Int(index)]) }
        Checkpoints.sort(order.mutableElements) { compare(key($0), key($1)) < 0 }
        for position in 1..<max(order.count, 1) where equal(key(order[position]), key(order[position - 1])) {
            throw BackboneError(.badCheckpoint, "it has two storages '\(key(order[position]))'")
        }
    }

    func find(_ key: Bytes) -> Int? {
        search(order.elements) { compare(self.key(Int($0)), key) }
    }
}
