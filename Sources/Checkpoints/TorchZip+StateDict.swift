// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension TorchZip {
    /// The entries of a state dict with string keys, in its order. As in Python a key that comes again keeps its place
    /// and gets the last value.
    private func entries(of dict: UInt32) throws(BackboneError) -> UniqueArray<Pickle.Pair> {
        var entries = UniqueArray<Pickle.Pair>()
        var pair = pickle[dict].first
        while pair != PickleValue.none {
            let entry = pickle.pairs[Int(pair)]
            if let key = pickle.string(entry.key) {
                guard entries.count < Limits.tensors else {
                    throw BackboneError(.badCheckpoint, "it holds more than \(Limits.tensors) tensors")
                }
                guard key.count <= Limits.nameBytes else {
                    throw BackboneError(.badCheckpoint, "a name of \(key.count) bytes is too long: '\(key)'")
                }
                try entries.append(entry)
            }
            pair = entry.next
        }
        var order = UniqueArray<Int32>()
        try order.reserve(entries.count)
        for index in 0..<entries.count { try order.append(Int32(index)) }
        let list = entries.mutableElements
        func key(_ index: Int32) -> Bytes { pickle.string(list[Int(index)].key) ?? Bytes(start: nil, count: 0) }
        sort(order.mutableElements) {
            let comparison = compare(key($0), key($1))
            return comparison != 0 ? comparison < 0 : $0 < $1
        }
        var first = 0
        for position in 1..<max(order.count, 1) {
            if equal(key(order[first]), key(order[position])) {
                list[Int(order[first])].value = list[Int(order[position])].value
                // `none` marks an entry as gone.
                list[Int(order[position])].value = PickleValue.none
            } else {
                first = position
            }
        }
        return entries
    }

    /// Fills a catalog with the entries of a state dict. Numbers, texts and the like between the tensors are kept as
    /// names without a tensor: an error only where the network needs one.
    func catalog(of dict: UInt32) throws(BackboneError) -> TensorCatalog {
        var catalog = TensorCatalog()
        let entries = try self.entries(of: dict)
        let list = entries.elements
        var storageOfMember = try UniqueArray<Int32>(repeating: -1, count: archive.members.count)
        // Which pickled storage stands for a member, to see others that contradict it.
        var claims = try UniqueArray<UInt32>(repeating: PickleValue.none, count: archive.members.count)
        for index in 0..<list.count {
            let entry = list[index]
            guard entry.value != PickleValue.none, let name = pickle.string(entry.key) else { continue }
            let value = pickle[entry.value]
            guard value.kind == .tensor else {
                let obstacle = try copy(pickle.describe(entry.value))
                try catalog.addUnreadable(name: name, obstacle: obstacle.elements)
                continue
            }
            let tensor = pickle.tensors[Int(value.first)]
            let storage = pickle.storages[Int(tensor.storage)]
            let key = pickle.text(storage.key)
            guard let member = try member(ofStorage: key) else {
                throw BackboneError(.badCheckpoint, "the storage '\(key)' of tensor '\(name)' is missing")
            }
            if storageOfMember[member] < 0 {
                storageOfMember[member] = try catalog.addStorage(self.storage(storage, member: member, tensor: name))
                claims[member] = tensor.storage
            }
            let claim = pickle.storages[Int(claims[member])]
            guard claim.dtype == storage.dtype, claim.elementCount == storage.elementCount else {
                throw BackboneError(
                    .badCheckpoint,
                    """
                    the storage '\(key)' is said to hold \(claim.elementCount) \(claim.dtype.name), and for tensor \
                    '\(name)' \(storage.elementCount) \(storage.dtype.name)
                    """)
            }
            let sizes = try integers(tensor.sizes, of: name)
            let strides = try integers(tensor.strides, of: name)
            try catalog.add(
                name: name, dtype: storage.dtype, storage: storageOfMember[member], offset: tensor.offset,
                shape: sizes.elements, strides: strides.elements)
        }
        return catalog
    }

    private func storage(
        _ storage: Pickle.Storage, member: Int, tensor: Bytes
    ) throws(BackboneError) -> TensorCatalog.Storage {
        let member = archive.members[member]
        guard checkedProduct(storage.elementCount, storage.dtype.size) == member.size else {
            throw BackboneError(
                .badCheckpoint,
                """
                the storage '\(pickle.text(storage.key))' of tensor '\(tensor)' has \(member.size) bytes, expected \
                \(storage.elementCount) elements of \(storage.dtype.name)
                """)
        }
        return TensorCatalog.Storage(
            position: member.payload, size: member.size, checksum: archive.hasChecksums ? member.checksum : nil)
    }

    private func integers(_ tuple: UInt32, of tensor: Bytes) throws(BackboneError) -> UniqueArray<Int64> {
        var numbers = UniqueArray<Int64>()
        let value = pickle[tuple]
        guard value.second <= Limits.dimensions else {
            throw BackboneError(
                .badCheckpoint,
                "tensor '\(tensor)' has \(Int(value.second)) dimensions, more than \(Limits.dimensions)")
        }
        for position in 0..<Int(value.second) {
            guard let number = pickle.integer(pickle.items[Int(value.first) + position]) else {
                throw BackboneError(.badCheckpoint, "a size or stride of tensor '\(tensor)' is no number")
            }
            try numbers.append(Int64(number))
        }
        return numbers
    }
}

private func copy(_ message: Message) throws(BackboneError) -> UniqueArray<UInt8> {
    var text = try UniqueArray<UInt8>(repeating: 0, count: Message.capacity + 1)
    guard let start = text.mutableElements.baseAddress else { return text }
    start.withMemoryRebound(to: CChar.self, capacity: Message.capacity + 1) { message.write(to: $0) }
    while text.count > message.count { _ = text.removeLast() }
    return text
}
