// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Pickle {
    /// The entries of a dict with string keys, or of a list of pairs, in its order. As in Python a repeated key keeps
    /// its place and gets the last value.
    ///
    /// - Throws: `badCheckpoint` for too many or too long names.
    func entries(of dict: UInt32) throws(BackboneError) -> UniqueArray<Pair> {
        var entries = UniqueArray<Pair>()
        guard count(of: dict, atMost: Limits.tensors + 1) <= Limits.tensors else {
            throw BackboneError(
                .badCheckpoint, "it holds more than \(Limits.tensors) tensors; save those of the network alone")
        }
        guard var members = PickleMembers(of: dict, in: self) else { return entries }
        while let (name, value) = members.nextNamed(in: self) {
            let length = texts[Int(self[name].first)].count
            guard let key = string(name), key.count <= Limits.nameBytes else {
                throw BackboneError(
                    .badCheckpoint, "a name of \(length) bytes is too long; use at most \(Limits.nameBytes)")
            }
            try entries.append(Pair(key: name, value: value, next: PickleValue.none))
        }
        var kept = UniqueArray<Pair>()
        try kept.reserve(entries.count)
        try markRepetitions(entries.mutableElements)
        for index in 0..<entries.count where entries[index].value != PickleValue.none {
            try kept.append(entries[index])
        }
        return kept
    }

    /// The number of items of a dict, list or tuple; for a dict or list, at most `limit` are counted.
    func count(of container: UInt32, atMost limit: Int) -> Int {
        if self[container].kind == .tuple { return Int(self[container].second) }
        guard self[container].kind == .dict || self[container].kind == .list else { return 0 }
        var count = 0
        var pair = self[container].first
        while pair != PickleValue.none && count < limit {
            count += 1
            pair = pairs[Int(pair)].next
        }
        return count
    }

    /// Gives the first of all entries with the same key the value of the last, and the others none.
    private func markRepetitions(_ entries: UnsafeMutableBufferPointer<Pair>) throws(BackboneError) {
        var order = UniqueArray<Int32>()
        try order.reserve(entries.count)
        for index in 0..<entries.count { try order.append(Int32(index)) }
        func key(_ index: Int32) -> Bytes { string(entries[Int(index)].key) ?? Bytes(start: nil, count: 0) }
        sort(order.mutableElements) {
            let comparison = compare(key($0), key($1))
            return comparison != 0 ? comparison < 0 : $0 < $1
        }
        var first = 0
        for position in 1..<max(order.count, 1) {
            if equal(key(order[first]), key(order[position])) {
                entries[Int(order[first])].value = entries[Int(order[position])].value
                entries[Int(order[position])].value = PickleValue.none
            } else {
                first = position
            }
        }
    }

    /// A message's description of a dict without any wanted value.
    func contents(of dict: UInt32) -> Message {
        var text: Message = "no tensors"
        var pair = self[dict].first
        var count = 0
        while pair != PickleValue.none && count < 5 {
            let entry = pairs[Int(pair)]
            if let key = string(entry.key) {
                let separator: StaticString = count == 0 ? "; " : ", "
                text = "\(text)\(separator)'\(key)' is \(describe(entry.value))"
                count += 1
            }
            pair = entry.next
        }
        return text
    }
}
