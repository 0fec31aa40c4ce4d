// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// A checkpoint that `torch.save` wrote before PyTorch 0.1.10: a tar archive with the members `storages`, `tensors` and
// `pickle`. In the last, storages and tensors are persistent ids: numbers under which the other two describe them.

/// Reads everything except the values.
///
/// - Throws: `badCheckpoint`, `io`, `outOfMemory`.
func readTarCheckpoint(_ file: FileReference) throws(BackboneError) -> PickledCheckpoint {
    let archive = try TarArchive(file)
    let pickle = try archive.find("pickle")
    var places = StoragePlaces()
    var unpickler = try Unpickler(PickleReader(file, archive.find("storages")))
    try readStorages(&unpickler, &places)
    unpickler.reader = try PickleReader(file, archive.find("tensors"))
    try readTensors(&unpickler)
    unpickler.reader = try PickleReader(file, pickle)
    unpickler.pickle.root = try unpickler.read()
    try requireEnd(unpickler)
    return PickledCheckpoint(unpickler.finish(), places, file)
}

private func damaged(_ message: Message) -> BackboneError {
    BackboneError.damagedFile("the tar archive is damaged: \(message)")
}

private func requireEnd(_ unpickler: borrowing Unpickler) throws(BackboneError) {
    let (position, count) = (unpickler.reader.position, unpickler.reader.remaining)
    guard count == 0 else { throw damaged("a member has \(count) bytes too many at byte \(position)") }
}

/// Reads the number of the descriptions that follow.
private func readCount(_ unpickler: inout Unpickler) throws(BackboneError) -> Int {
    let value = try unpickler.read()
    guard let count = unpickler.pickle.integer(value), count >= 0 else {
        throw damaged("the number of objects is missing")
    }
    return count
}

/// How many; for each `(key, location, class)`, the number of elements in eight bytes and the elements; then a list of
/// those that are views of others, `(key, key of the other, offset, elements)`.
private func readStorages(_ unpickler: inout Unpickler, _ places: inout StoragePlaces) throws(BackboneError) {
    for _ in 0..<(try readCount(&unpickler)) {
        let description = unpickler.pickle[try unpickler.read()]
        guard let key = unpickler.pickle.item(0, of: description).flatMap({ unpickler.pickle.integer($0) }),
            let type = unpickler.pickle.item(2, of: description),
            case .storage(let dtype) = unpickler.pickle.meaning(type)
        else { throw damaged("a storage without key or type, before byte \(unpickler.reader.position)") }
        var name = UniqueArray<UInt8>()
        try name.append(message: "\(key)")
        try places.add(readPlace(&unpickler.reader, elementSize: dtype.size, of: name.elements), key: name.elements)
        let storage = Pickle.Storage(source: .place(places.count - 1), dtype: dtype)
        try unpickler.objects.add(key, unpickler.make(storage))
    }
    try unpickler.objects.sort()
    try readViews(&unpickler)
    try requireEnd(unpickler)
}

private func readViews(_ unpickler: inout Unpickler) throws(BackboneError) {
    let views = try unpickler.read()
    guard unpickler.pickle[views].kind == .list else { throw damaged("the list of storage views is missing") }
    var pair = unpickler.pickle[views].first
    while pair != PickleValue.none {
        let entry = unpickler.pickle.pairs[Int(pair)]
        pair = entry.next
        var numbers: [4 of Int] = .init(repeating: 0)
        for index in 0..<4 {
            guard let item = unpickler.pickle.item(index, of: unpickler.pickle[entry.value]),
                let number = unpickler.pickle.integer(item)
            else { throw damaged("a storage view is not described by four numbers") }
            numbers[index] = number
        }
        guard let root = unpickler.objects.find(numbers[1]) else {
            throw damaged("a storage is a view of \(numbers[1]), which is missing")
        }
        var storage = unpickler.pickle.storages[Int(unpickler.pickle[root].first)]
        storage.view = (numbers[2], numbers[3])
        try unpickler.objects.add(numbers[0], unpickler.make(storage))
    }
    try unpickler.objects.sort()
}

/// How many; for each `(key, key of its storage, class)`, the number of dimensions in eight bytes of which four count,
/// then sizes, strides and offset, in eight bytes each.
private func readTensors(_ unpickler: inout Unpickler) throws(BackboneError) {
    for _ in 0..<(try readCount(&unpickler)) {
        let description = unpickler.pickle[try unpickler.read()]
        guard let key = unpickler.pickle.item(0, of: description).flatMap({ unpickler.pickle.integer($0) }),
            let storage = unpickler.pickle.item(1, of: description).flatMap({ unpickler.pickle.integer($0) })
        else { throw damaged("a tensor without key or storage, before byte \(unpickler.reader.position)") }
        guard let object = unpickler.objects.find(storage) else {
            throw damaged("the storage \(storage) of tensor \(key) is missing")
        }
        guard let rank = try unpickler.reader.uint32(), try unpickler.reader.uint32() != nil else {
            throw damaged("it ends within tensor \(key)")
        }
        guard rank <= UInt32(Limits.dimensions) else {
            throw damaged("tensor \(key) has \(rank) dimensions, more than \(Limits.dimensions)")
        }
        let sizes = try readTuple(&unpickler, count: Int(rank), of: key)
        let strides = try readTuple(&unpickler, count: Int(rank), of: key)
        guard let offset = try unpickler.reader.uint64() else { throw damaged("it ends within tensor \(key)") }
        try unpickler.pickle.tensors.append(
            Pickle.Tensor(
                storage: unpickler.pickle[object].first, offset: Int(Int64(bitPattern: offset)), sizes: sizes,
                order: .strides(strides)))
        let tensor = PickleValue(.tensor, unpickler.pickle.tensors.count - 1)
        try unpickler.objects.add(key, unpickler.make(tensor))
    }
    try unpickler.objects.sort()
    try requireEnd(unpickler)
}

/// Makes a tuple of numbers of eight bytes.
private func readTuple(_ unpickler: inout Unpickler, count: Int, of key: Int) throws(BackboneError) -> UInt32 {
    let first = unpickler.pickle.items.count
    for _ in 0..<count {
        guard let number = try unpickler.reader.uint64() else { throw damaged("it ends within tensor \(key)") }
        let value = try unpickler.make(PickleValue(integer: Int64(bitPattern: number)))
        try unpickler.pickle.items.append(value)
    }
    return try unpickler.make(PickleValue(.tuple, first, UInt32(count)))
}
