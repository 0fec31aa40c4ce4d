// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Our names for the tensors of a file, with a search for a tensor by name.
struct NameMap: ~Copyable {
    /// Our name of each tensor in `text`; an empty one for names without one.
    private var names = UniqueArray<TextRange>()
    /// Whether the grammar marks a tensor as unused.
    private var isDropped = UniqueArray<Bool>()
    private var text = UniqueArray<UInt8>()
    /// Indices of the tensors with one of our names, in the order of these names.
    private var order = UniqueArray<Int32>()

    /// - Throws: `badCheckpoint` naming both if two tensors have the same name for us; `outOfMemory`.
    init(_ catalog: borrowing TensorCatalog, prefix: Bytes, _ rules: borrowing NameRules) throws(BackboneError) {
        try names.reserve(catalog.entries.count)
        try isDropped.reserve(catalog.entries.count)
        for index in 0..<catalog.entries.count {
            let name = catalog.name(index)
            let start = text.count
            var translation = NameRules.Translation.unknown
            if name.hasPrefix(prefix) {
                translation = try rules.translate(name.slice(prefix.count, name.count - prefix.count), to: &text)
            }
            if translation == .known || translation == .verbatim { try order.append(Int32(index)) }
            isDropped.appendReserved(translation == .dropped)
            // No more text than the catalog's, whose offsets fit: the length of our names is bounded.
            names.appendReserved(TextRange(start: UInt32(start), count: UInt32(text.count - start)))
        }
        let map = (names.elements, text.elements)
        func name(_ index: Int32) -> Bytes { map.1.slice(map.0[Int(index)]) }
        sort(order.mutableElements) {
            let comparison = compare(name($0), name($1))
            return comparison != 0 ? comparison < 0 : $0 < $1
        }
        for position in 1..<max(order.count, 1) where equal(name(order[position]), name(order[position - 1])) {
            let (a, b) = (catalog.name(Int(order[position - 1])), catalog.name(Int(order[position])))
            throw BackboneError(
                .badCheckpoint,
                equal(a, b)
                    ? "it has two tensors '\(a)'; keep one"
                    : "it has two tensors '\(name(order[position]))': '\(a)' and '\(b)'")
        }
    }

    /// Our name of tensor `index`, nil if it does not belong to the network.
    func name(_ index: Int) -> Bytes? {
        let range = names[index]
        return range.count > 0 ? text.elements.slice(range) : nil
    }

    /// Whether tensor `index` is one that files of this grammar have and that is not needed.
    func isDropped(_ index: Int) -> Bool { isDropped[index] }

    /// The index of the tensor with one of our names.
    func find(_ name: Bytes) -> Int? {
        let (names, text) = (self.names.elements, self.text.elements)
        return search(order.elements) { compare(text.slice(names[Int($0)]), name) }
    }
}
