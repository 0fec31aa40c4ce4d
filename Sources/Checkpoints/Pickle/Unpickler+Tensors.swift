// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Tensors of PyTorch, and the storages that persistent ids name.
extension Unpickler {
    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata=None)`, its
    /// predecessor with the first four alone, or its successor with a dtype before the metadata.
    mutating func rebuildTensor(
        _ arguments: PickleValue, _ function: UInt32, type: Int? = nil, metadata: Int
    ) throws(BackboneError) -> UInt32 {
        var dtype: DType?
        if let type {
            guard let named = pickle.item(type, of: arguments), pickle[named].kind == .global else {
                return try makeOpaque(function)
            }
            switch pickle.meaning(named) {
            case .dtype(let known): dtype = known
            case .unreadDType(let row): return try make(PickleValue(.dtype, detail: UInt32(row)))
            default: return try make(PickleValue(.unknownDType, detail: pickle[named].first))
            }
        }
        // A lazily negated or conjugated view has metadata.
        if let metadata = pickle.item(metadata, of: arguments), pickle[metadata].kind == .dict,
            pickle[metadata].first != PickleValue.none
        {
            return try make(PickleValue(.lazyView))
        }
        return try make(tensor(arguments, dtype: dtype))
    }

    /// A tensor of a tuple that begins with storage, offset, size and stride.
    private mutating func tensor(_ tuple: PickleValue, dtype: DType? = nil) throws(BackboneError) -> PickleValue {
        guard let first = pickle.item(0, of: tuple), let offset = pickle.item(1, of: tuple),
            let sizes = pickle.item(2, of: tuple), let strides = pickle.item(3, of: tuple)
        else { throw damaged("a tensor without storage, offset, shape or strides") }
        let storage = pickle[first]
        // A storage of an unknown type.
        if storage.kind == .opaque || storage.kind == .unread { return storage }
        guard storage.kind == .storage, let offset = pickle.integer(offset), pickle[sizes].kind == .tuple,
            pickle[strides].kind == .tuple
        else { throw damaged("a tensor without storage, offset, shape or strides") }
        try pickle.tensors.append(
            Pickle.Tensor(
                storage: storage.first, dtype: dtype, offset: offset, sizes: sizes, order: .strides(strides)))
        return PickleValue(.tensor, pickle.tensors.count - 1)
    }

    /// `_rebuild_device_tensor_from_numpy(array, dtype, device, requires_grad)`, and the same with a CPU tensor. The
    /// array has the tensor's values in its own dtype or a wider one of the same kind, such as float32 for bfloat16.
    ///
    /// - Returns: nil for anything else.
    mutating func rebuildFromDevice(_ arguments: PickleValue) throws(BackboneError) -> UInt32? {
        guard let data = pickle.item(0, of: arguments), let type = pickle.item(1, of: arguments) else { return nil }
        if pickle[data].kind == .unread { return data }
        guard pickle[data].kind == .tensor else { return nil }
        let tensor = pickle.tensors[Int(pickle[data].first)]
        let saved = tensor.dtype ?? pickle.storages[Int(tensor.storage)].dtype
        switch pickle.meaning(type) {
        case .dtype(let own):
            guard let saved, saved.isFloatingPoint != own.isFloatingPoint else { return data }
            return try make(PickleValue(.converted))
        case .unreadDType(let row): return try make(PickleValue(.dtype, detail: UInt32(row)))
        default: return nil
        }
    }

    /// Follows `Tensor.__setstate__`: four items make the tensor, of five the first is one, three are attributes.
    mutating func setTensorState(of object: UInt32, _ state: PickleValue) throws(BackboneError) {
        let count = state.kind == .tuple ? state.second : 0
        if count == 3 { return }
        var value = PickleValue(.opaque)
        if count == 4 {
            value = try tensor(state)
        } else if count == 5, let data = pickle.item(0, of: state),
            pickle[data].kind == .tensor || pickle[data].kind == .unread
        {
            value = pickle[data]
        }
        pickle.values[Int(object)] = value
    }

    /// The object that an id from the stack stands for.
    mutating func pushPersistent() throws(BackboneError) {
        if let object = try object(pop()) { try push(object) } else { try push(.opaque) }
    }

    private mutating func object(_ index: UInt32) throws(BackboneError) -> UInt32? {
        let id = pickle[index]
        if let key = pickle.integer(index) { return objects.find(key) }
        if let key = pickle.string(index) { return objects.find(decimal(key)) }
        guard let label = pickle.item(0, of: id) else { return nil }
        // `(class, source_file, source)`, in the oldest format.
        if pickle[label].kind == .global { return label }
        guard let label = pickle.string(label) else { return nil }
        // `('module', class, source_file, source)`
        if equal(label, "module") { return pickle.item(1, of: id) }
        return equal(label, "storage") ? try makeStorage(id) : nil
    }

    /// `('storage', torch.FloatStorage, key, location, elements)`, in older files with its base, if it is a view:
    /// `(key, offset, elements)`.
    private mutating func makeStorage(_ id: PickleValue) throws(BackboneError) -> UInt32? {
        guard id.second == 5 || id.second == 6, let type = pickle.item(1, of: id), let key = pickle.item(2, of: id),
            let count = pickle.item(4, of: id), pickle[type].kind == .global, pickle[key].kind == .string,
            let count = pickle.integer(count)
        else { throw damaged("a storage without type, key or size") }
        let dtype: DType
        switch pickle.meaning(type) {
        case .storage(let known): dtype = known
        case .untypedStorage: dtype = .uint8
        case .unreadDType(let row): return try make(PickleValue(.dtype, detail: UInt32(row)))
        default: return try makeOpaque(type)
        }
        var storage = Pickle.Storage(source: .key(pickle[key].first), dtype: dtype, elementCount: count)
        if let view = pickle.item(5, of: id), pickle[view].kind != .none {
            guard let start = pickle.item(1, of: pickle[view]).flatMap({ pickle.integer($0) }),
                let count = pickle.item(2, of: pickle[view]).flatMap({ pickle.integer($0) })
            else { throw damaged("a view of a storage without offset or size") }
            storage.view = (start, count)
        }
        return try make(storage)
    }

    /// `_load_from_bytes(bytes)`; nil if they are not valid.
    mutating func makeStorage(ofFile bytes: UInt32) throws(BackboneError) -> UInt32? {
        guard pickle[bytes].kind == .bytes else { return nil }
        return try make(Pickle.Storage(source: .file(pickle[bytes].first)))
    }

    mutating func make(_ storage: Pickle.Storage) throws(BackboneError) -> UInt32 {
        try pickle.storages.append(storage)
        return try make(PickleValue(.storage, pickle.storages.count - 1))
    }
}

/// Objects that persistent ids name by numbers.
struct PersistentObjects: ~Copyable {
    private var keys = UniqueArray<Int>()
    private var values = UniqueArray<UInt32>()
    /// The first `sorted.count` in the order of their keys.
    private var sorted = UniqueArray<Int32>()

    /// Adds an object, which can be found once `sort` was called.
    mutating func add(_ key: Int, _ value: UInt32) throws(BackboneError) {
        try keys.append(key)
        try values.append(value)
    }

    /// - Throws: `badCheckpoint` if two have the same key.
    mutating func sort() throws(BackboneError) {
        while sorted.count < keys.count { try sorted.append(Int32(sorted.count)) }
        let list = keys.elements
        Runtime.sort(sorted.mutableElements) { list[Int($0)] < list[Int($1)] }
        for position in 1..<max(sorted.count, 1)
        where list[Int(sorted[position])] == list[Int(sorted[position - 1])] {
            throw BackboneError.damagedFile("it has two objects of key \(list[Int(sorted[position])])")
        }
    }

    func find(_ key: Int?) -> UInt32? {
        guard let key else { return nil }
        let list = keys.elements
        let found = search(sorted.elements) { list[Int($0)] == key ? 0 : list[Int($0)] < key ? -1 : 1 }
        return found.map { values[$0] }
    }
}
