// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The tensors of a place under our names, to decide whether two places hold the same: a module that is registered
/// under two names is saved under both, with one set of storages.
struct PlaceContents: ~Copyable {
    private let place: NamePlace
    private var text = UniqueArray<UInt8>()
    /// Our name and the tensor of each, sorted by name.
    private var names = UniqueArray<TextRange>()
    private var tensors = UniqueArray<PlacedTensor>()
    private var order = UniqueArray<Int32>()

    /// - Throws: `outOfMemory`.
    init(
        _ place: NamePlace, _ candidate: borrowing Candidate, _ grammars: borrowing UniqueArray<NameRules>
    ) throws(BackboneError) {
        self.place = place
        for position in 0..<candidate.count {
            let start = text.count
            guard try place.translate(candidate[position], grammars, to: &text) == .known else {
                text.truncate(to: start)
                continue
            }
            if grammars[place.grammar].isApart(text.elements.slice(start, text.count - start)) {
                text.truncate(to: start)
                continue
            }
            try order.append(Int32(names.count))
            try names.append(TextRange(start: UInt32(start), count: UInt32(text.count - start)))
            try tensors.append(
                PlacedTensor(
                    candidate: place.candidate, position: position, identity: candidate.identity(position)))
        }
        let (ranges, text) = (names.elements, text.elements)
        sort(order.mutableElements) { compare(text.slice(ranges[Int($0)]), text.slice(ranges[Int($1)])) < 0 }
    }

    /// Whether another place has all tensors of this one, and is preferred.
    ///
    /// - Parameter isFirst: whether this place comes before the other one, which decides between equals.
    func isRepeated(by other: borrowing PlaceContents, isFirst: Bool) -> Bool {
        guard !order.isEmpty, order.count <= other.order.count else { return false }
        var position = 0
        for index in 0..<order.count {
            let name = self.name(index)
            while position < other.order.count, compare(other.name(position), name) < 0 { position += 1 }
            guard position < other.order.count, equal(other.name(position), name),
                tensor(index).isSame(as: other.tensor(position))
            else { return false }
        }
        if order.count < other.order.count { return true }
        if place.prefix.count != other.place.prefix.count { return place.prefix.count > other.place.prefix.count }
        return !isFirst
    }

    private func name(_ index: Int) -> Bytes { text.elements.slice(names[Int(order[index])]) }

    private func tensor(_ index: Int) -> PlacedTensor { tensors[Int(order[index])] }
}

/// A tensor of a candidate.
private struct PlacedTensor: BitwiseCopyable {
    let candidate: Int
    let position: Int
    let identity: TensorIdentity?

    /// Whether two are the same bytes of the file.
    func isSame(as other: PlacedTensor) -> Bool {
        if candidate == other.candidate && position == other.position { return true }
        guard let identity, let otherIdentity = other.identity else { return false }
        return identity == otherIdentity
    }
}
