// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A name of a tensor in a file, and the identity of its bytes; nil if unknown.
struct NamedTensor: BitwiseCopyable {
    var name: Bytes
    var identity: TensorIdentity?
}

/// The names of one dict of tensors in a file: the input for the choice of a state dict.
struct Candidate: ~Copyable {
    /// The keys that lead to it, joined by dots; empty for the object itself.
    let key: UniqueArray<UInt8>
    /// Sorted by name. Names are borrowed from the file's tables.
    private let tensors: UniqueArray<NamedTensor>

    init(
        key: consuming UniqueArray<UInt8>, tensors unsorted: borrowing UniqueArray<NamedTensor>
    ) throws(BackboneError) {
        let list = unsorted.elements
        let order = try sorted(count: list.count) { compare(list[Int($0)].name, list[Int($1)].name) < 0 }
        var tensors = UniqueArray<NamedTensor>()
        try tensors.reserve(order.count)
        for index in order.elements { tensors.appendReserved(list[Int(index)]) }
        self.key = key
        self.tensors = tensors
    }

    /// The candidate of a catalog without keys: the file itself.
    init(_ catalog: borrowing TensorCatalog) throws(BackboneError) {
        var tensors = UniqueArray<NamedTensor>()
        // Including unsupported dtypes.
        for index in 0..<catalog.entries.count {
            try tensors.append(NamedTensor(name: catalog.name(index)))
        }
        try self.init(key: UniqueArray(), tensors: tensors)
    }

    var count: Int { tensors.count }

    subscript(index: Int) -> Bytes { tensors[index].name }

    /// The identity of the bytes of tensor `index` is. Equal identities are the same values under two names; nil equals
    /// nothing, as in safetensors files, whose tensors never share bytes.
    func identity(_ index: Int) -> TensorIdentity? { tensors[index].identity }

    /// Whether a tensor has the name that two parts make.
    func contains(_ prefix: Bytes, _ name: Bytes) -> Bool {
        search(count: tensors.count) { compare(tensors[$0].name, prefix, name) } != nil
    }

    /// The same of either of two names, of which empty ones stand for none.
    func contains(_ prefix: Bytes, anyOf names: (Bytes, Bytes)) -> Bool {
        !names.0.isEmpty && contains(prefix, names.0) || !names.1.isEmpty && contains(prefix, names.1)
    }

    /// Whether all names begin with a prefix.
    func allBegin(with prefix: StaticString) -> Bool {
        // They are sorted, so a common prefix of the first and the last is common to all.
        count > 0 && self[0].hasPrefix(prefix) && self[count - 1].hasPrefix(prefix)
    }
}
