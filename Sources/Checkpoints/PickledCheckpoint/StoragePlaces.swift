// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The places of the storages in a container, which its pickle names by keys or numbers.
struct StoragePlaces: ~Copyable {
    private var places = UniqueArray<TensorCatalog.Storage>()
    private var keys = UniqueArray<TextRange>()
    private var text = UniqueArray<UInt8>()
    /// Indices of the places, in the order of the keys once `sort` was called.
    private var order = UniqueArray<Int32>()

    var count: Int { places.count }

    subscript(index: Int) -> TensorCatalog.Storage { places[index] }

    func key(_ index: Int) -> Bytes { text.elements.slice(keys[index]) }

    /// Adds a place, which can be found by its key once `sort` was called.
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
        Runtime.sort(order.mutableElements) { compare(key($0), key($1)) < 0 }
        for position in 1..<max(order.count, 1) where equal(key(order[position]), key(order[position - 1])) {
            throw BackboneError(.badCheckpoint, "it has two storages '\(key(order[position]))'")
        }
    }

    func find(_ key: Bytes) -> Int? {
        search(order.elements) { compare(self.key(Int($0)), key) }
    }
}
