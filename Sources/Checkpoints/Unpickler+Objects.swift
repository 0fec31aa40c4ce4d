// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Classes, functions and what they would make. Only what a tensor is made of is understood.
extension Unpickler {
    mutating func pushGlobalOfLines() throws(BackboneError) {
        let moduleStart = reader.position
        guard let module = reader.takeLine() else { throw cutOff() }
        let nameStart = reader.position
        guard let name = reader.takeLine() else { throw cutOff() }
        try pushGlobal(
            module: TextRange(start: UInt32(moduleStart), count: UInt32(module.count)),
            name: TextRange(start: UInt32(nameStart), count: UInt32(name.count)))
    }

    mutating func pushGlobalOfStack() throws(BackboneError) {
        let name = pickle[try pop()]
        let module = pickle[try pop()]
        guard module.kind == .string, name.kind == .string else { throw damaged("a class without a name") }
        try pushGlobal(
            module: TextRange(start: module.first, count: module.second),
            name: TextRange(start: name.first, count: name.second))
    }

    private mutating func pushGlobal(module: TextRange, name: TextRange) throws(BackboneError) {
        let meaning = PickleGlobal(module: pickle.text(module), name: pickle.text(name))
        try pickle.globals.append(Pickle.Global(module: module, name: name, meaning: meaning))
        try push(PickleValue(kind: .global, first: UInt32(pickle.globals.count - 1)))
    }

    /// A call, or the making of an object, of which only those of tensors and ordered dicts have a result.
    mutating func reduce(keywordArguments: Bool) throws(BackboneError) {
        if keywordArguments { try drop(1) }
        let arguments = pickle[try pop()]
        let callable = pickle[try pop()]
        guard arguments.kind == .tuple else { throw damaged("a call without a tuple of arguments") }
        if callable.kind == .opaque { return try push(.opaque) }
        guard callable.kind == .global else { throw damaged("a call of what is no function") }
        let count = Int(arguments.second)
        switch keywordArguments ? .unknown : pickle.globals[Int(callable.first)].meaning {
        case .orderedDict where count == 0: try push(.dict)
        case .rebuildTensor where count >= 4: try rebuildTensor(arguments, function: callable)
        case .rebuildParameter where count >= 1: try push(pickle.items[Int(arguments.first)])
        default: try push(PickleValue(kind: .opaque, first: callable.first))
        }
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata=None)`
    private mutating func rebuildTensor(_ arguments: PickleValue, function: PickleValue) throws(BackboneError) {
        let first = Int(arguments.first)
        let storage = pickle[pickle.items[first]]
        let metadata = arguments.second > 6 ? pickle[pickle.items[first + 6]] : PickleValue(kind: .other)
        // A storage of an unknown type; or a lazily negated or conjugated view.
        if storage.kind == .opaque { return try push(storage) }
        if metadata.kind == .dict && metadata.first != PickleValue.none {
            return try push(PickleValue(kind: .opaque, first: function.first))
        }
        let sizes = pickle.items[first + 2]
        let strides = pickle.items[first + 3]
        guard storage.kind == .storage, let offset = pickle.integer(pickle.items[first + 1]),
            pickle[sizes].kind == .tuple, pickle[strides].kind == .tuple
        else { throw damaged("a tensor without storage, offset, shape or strides") }
        try pickle.tensors.append(Pickle.Tensor(storage: storage.first, offset: offset, sizes: sizes, strides: strides))
        try push(PickleValue(kind: .tensor, first: UInt32(pickle.tensors.count - 1)))
    }

    /// Sets the state of an object: of an ordered dict its attributes, which hold versions of modules.
    mutating func build() throws(BackboneError) {
        _ = try pop()
        let object = try top()
        switch pickle[object].kind {
        case .dict, .list, .opaque: break
        case .tensor: pickle.values[Int(object)] = PickleValue(kind: .opaque)
        default: throw damaged("a state is given to \(pickle.describe(object))")
        }
    }

    /// `('storage', torch.FloatStorage, key, location, elements)`
    mutating func pushPersistent() throws(BackboneError) {
        let id = pickle[try pop()]
        guard id.kind == .tuple, id.second == 5, let label = pickle.string(pickle.items[Int(id.first)]),
            equal(label, "storage")
        else { return try push(.opaque) }
        let type = pickle[pickle.items[Int(id.first) + 1]]
        let key = pickle[pickle.items[Int(id.first) + 2]]
        guard type.kind == .global, key.kind == .string,
            let count = pickle.integer(pickle.items[Int(id.first) + 4])
        else { throw damaged("a storage without type, key or size") }
        guard case .storage(let dtype) = pickle.globals[Int(type.first)].meaning else {
            return try push(PickleValue(kind: .opaque, first: type.first))
        }
        try pickle.storages.append(
            Pickle.Storage(dtype: dtype, key: TextRange(start: key.first, count: key.second), elementCount: count))
        try push(PickleValue(kind: .storage, first: UInt32(pickle.storages.count - 1)))
    }
}
