// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The names of one dict of tensors in a file: all that the choice of a state dict looks at.
struct Candidate: ~Copyable {
    /// The keys that lead to it, joined by dots; empty for the object itself.
    let key: UniqueArray<UInt8>
    /// Of its tensors, sorted. They are borrowed from the file's tables.
    private let names: UniqueArray<Bytes>

    init(key: consuming UniqueArray<UInt8>, names unsorted: borrowing UniqueArray<Bytes>) throws(BackboneError) {
        var order = UniqueArray<Int32>()
        try order.reserve(unsorted.count)
        for index in 0..<unsorted.count { try order.append(Int32(index)) }
        let list = unsorted.elements
        sort(order.mutableElements) { compare(list[Int($0)], list[Int($1)]) < 0 }
        var names = UniqueArray<Bytes>()
        try names.reserve(order.count)
        for index in 0..<order.count { names.appendReserved(list[Int(order[index])]) }
        self.key = key
        self.names = names
    }

    /// The candidate that a catalog without keys is: the file itself.
    init(_ catalog: borrowing TensorCatalog) throws(BackboneError) {
        var names = UniqueArray<Bytes>()
        for index in 0..<catalog.entries.count where catalog.entries[index].isTensor {
            try names.append(catalog.name(index))
        }
        try self.init(key: UniqueArray(), names: names)
    }

    var count: Int { names.count }

    subscript(index: Int) -> Bytes { names[index] }

    /// Whether there is a tensor of the name that two parts make.
    func contains(_ prefix: Bytes, _ name: Bytes) -> Bool {
        var low = 0
        var high = names.count
        while low < high {
            let middle = (low + high) / 2
            let comparison = compare(names[middle], prefix, name)
            if comparison == 0 { return true }
            if comparison < 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    /// Whether all names begin with a prefix.
    func allBegin(with prefix: StaticString) -> Bool {
        // They are sorted, so what the first and the last have in common all others have too.
        names.count > 0 && names[0].hasPrefix(prefix) && names[names.count - 1].hasPrefix(prefix)
    }
}

/// Orders a text by what two parts make when put together.
private func compare(_ text: Bytes, _ first: Bytes, _ second: Bytes) -> Int {
    let comparison = compare(text.slice(0, min(text.count, first.count)), first)
    if comparison != 0 { return comparison }
    return compare(text.slice(first.count, text.count - first.count), second)
}
