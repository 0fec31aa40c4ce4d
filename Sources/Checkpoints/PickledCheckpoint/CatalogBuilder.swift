// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension PickledCheckpoint {
    /// The tensors of a candidate. Numbers, texts and other values between them are kept as names without a tensor: an
    /// error only if the network needs one.
    ///
    /// - Throws: `badCheckpoint` naming the tensor at fault, `io`, `outOfMemory`.
    func catalog(of candidate: Candidates.Candidate) throws(BackboneError) -> TensorCatalog {
        var builder = try CatalogBuilder(self)
        if pickle[candidate.value].kind != .opaque {
            let entries = try pickle.entries(of: candidate.value)
            for entry in entries.elements {
                guard let name = pickle.string(entry.key) else { continue }
                try builder.add(name, entry.value, self)
            }
        } else {
            var walk = try ModuleWalk(candidate.value, after: ModuleWalk.Effort())
            try builder.add(walk.run(self), self)
        }
        return builder.finish()
    }
}

/// Fills a catalog with values of a pickle. Shared storages are added once.
struct CatalogBuilder: ~Copyable {
    /// A storage of the catalog, and the properties that its tensors must agree on.
    struct Known {
        var storage: Int32 = -1
        var dtype = DType.uint8
        var elementCount = 0
    }

    var catalog = TensorCatalog()
    /// The storage at each place of the container.
    private var places: UniqueArray<Known>
    /// The storage of each text of the pickle; empty until one holds values.
    private var texts = UniqueArray<Known>()

    init(_ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) {
        places = try UniqueArray(repeating: Known(), count: checkpoint.places.count)
    }

    consuming func finish() -> TensorCatalog { catalog }

    fileprivate mutating func add(
        _ entries: borrowing ModuleEntries, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        for index in 0..<entries.values.count { try add(entries.name(index), entries.values[index], checkpoint) }
    }

    /// Adds a tensor, or any other value under its name.
    mutating func add(
        _ name: Bytes, _ value: UInt32, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        guard checkpoint.pickle[value].kind == .tensor else {
            return try catalog.addUnreadable(name: name, what: checkpoint.pickle.describe(value))
        }
        let tensor = checkpoint.pickle.tensors[Int(checkpoint.pickle[value].first)]
        let storage = checkpoint.pickle.storages[Int(tensor.storage)]
        let known: Known?
        switch storage.source {
        case .key(let text): known = try place(ofKey: text, storage, name, checkpoint)
        case .place(let index): known = try place(index, storage, name, checkpoint)
        case .bytes(let text): known = try array(text, storage, tensor, name, checkpoint)
        case .file(let text): known = try nested(text, name, checkpoint)
        }
        guard let known else {
            return try catalog.addUnreadable(
                name: name,
                what: "a tensor in an unsupported form that torch.save does not write; save it with torch.save"
            )
        }
        try add(name, tensor, tensor.dtype ?? known.dtype, known, view: view(storage, name), checkpoint)
    }

    private func view(_ storage: Pickle.Storage, _ name: Bytes) throws(BackboneError) -> Range<Int>? {
        guard let view = storage.view else { return nil }
        guard view.start >= 0, view.count >= 0, let end = checkedSum(view.start, view.count) else {
            throw BackboneError(
                .badCheckpoint, "tensor '\(name)' is in \(view.count) elements from element \(view.start) of a storage")
        }
        return view.start..<end
    }
}

// Storages.
extension CatalogBuilder {
    private mutating func place(
        ofKey text: UInt32, _ storage: Pickle.Storage, _ name: Bytes, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Known {
        let key = checkpoint.pickle.texts[Int(text)].value.map { checkpoint.pickle.text($0) }
        guard let key, let index = checkpoint.places.find(key) else {
            let key = key ?? Bytes(start: nil, count: 0)
            throw BackboneError(
                .badCheckpoint, "the storage '\(key)' of tensor '\(name)' is missing; download or save the file again")
        }
        let known = try place(index, storage, name, checkpoint)
        guard known.dtype == storage.dtype, known.elementCount == storage.elementCount else {
            throw BackboneError(
                .badCheckpoint,
                """
                the storage '\(key)' is said to hold \(known.elementCount) \(known.dtype.name), and for tensor \
                '\(name)' \(storage.elementCount ?? 0) \((storage.dtype ?? known.dtype).name)
                """)
        }
        return known
    }

    private mutating func place(
        _ index: Int, _ storage: Pickle.Storage, _ name: Bytes, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Known {
        if places[index].storage >= 0 { return places[index] }
        var place = checkpoint.places[index]
        let dtype = storage.dtype ?? .uint8
        let count = storage.elementCount ?? place.size / dtype.size
        guard checkedProduct(count, dtype.size) == place.size else {
            throw BackboneError(
                .badCheckpoint,
                """
                the storage '\(checkpoint.places.key(index))' of tensor '\(name)' has \(place.size) bytes, expected \
                \(count) elements of \(dtype.name)
                """)
        }
        if checkpoint.isBigEndian { place.reversedSize = dtype.size }
        places[index] = Known(storage: try catalog.addStorage(place), dtype: dtype, elementCount: count)
        return places[index]
    }

    /// The bytes of an array. They stay in the file if the pickle is not in an archive.
    private mutating func array(
        _ index: UInt32, _ storage: Pickle.Storage, _ tensor: Pickle.Tensor, _ name: Bytes,
        _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Known? {
        let dtype = storage.dtype ?? .uint8
        let reversedSize = storage.isReversed ? dtype.size : 1
        try makeRoomForTexts(checkpoint)
        if texts[Int(index)].storage >= 0 {
            // Only single bytes are ever shared by arrays.
            guard catalog.storages[Int(texts[Int(index)].storage)].reversedSize == reversedSize else { return nil }
            return Known(storage: texts[Int(index)].storage, dtype: dtype)
        }
        var place = try place(of: checkpoint.pickle.texts[Int(index)], tensor, dtype, name, checkpoint)
        place.reversedSize = reversedSize
        texts[Int(index)] = Known(storage: try catalog.addStorage(place), dtype: dtype)
        return texts[Int(index)]
    }

    private mutating func place(
        of text: Pickle.Text, _ tensor: Pickle.Tensor, _ dtype: DType, _ name: Bytes,
        _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> TensorCatalog.Storage {
        // The bytes of a pickle in an archive are not in the file itself.
        if !checkpoint.pickle.memory.isEmpty {
            let start = catalog.memory.count
            guard try checkpoint.pickle.appendBytes(of: text, in: checkpoint.file, to: &catalog.memory) else {
                throw BackboneError(.badCheckpoint, "the data of array '\(name)' are not bytes")
            }
            return TensorCatalog.Storage(
                position: start, size: catalog.memory.count - start, checksum: nil, place: .memory)
        }
        if text.form == .plain {
            return TensorCatalog.Storage(position: text.position, size: text.count, checksum: nil)
        }
        // Their number is only known when they are read; it must be that of the array.
        let size = try byteCount(of: tensor, dtype, name, checkpoint, notAbove: text.count)
        return TensorCatalog.Storage(
            position: text.position, size: size, checksum: nil, place: .written(text.form, text.count))
    }

    /// The one storage of a file of `torch.save` inside the pickle; nil if it is not stored unchanged.
    private mutating func nested(
        _ index: UInt32, _ name: Bytes, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> Known? {
        try makeRoomForTexts(checkpoint)
        if texts[Int(index)].storage >= 0 { return texts[Int(index)] }
        let text = checkpoint.pickle.texts[Int(index)]
        guard text.form == .plain, checkpoint.pickle.memory.isEmpty else { return nil }
        let inner: (place: TensorCatalog.Storage, dtype: DType)
        do throws(BackboneError) {
            inner = try readLegacyStorage(checkpoint.file, text.position..<text.position + text.count)
        } catch {
            guard error.kind == .badCheckpoint else { throw error }
            throw BackboneError(error.kind, "the storage of tensor '\(name)': \(error.message)")
        }
        texts[Int(index)] = Known(storage: try catalog.addStorage(inner.place), dtype: inner.dtype)
        return texts[Int(index)]
    }

    private mutating func makeRoomForTexts(_ checkpoint: borrowing PickledCheckpoint) throws(BackboneError) {
        guard texts.isEmpty else { return }
        texts = try UniqueArray(repeating: Known(), count: checkpoint.pickle.texts.count)
    }
}
