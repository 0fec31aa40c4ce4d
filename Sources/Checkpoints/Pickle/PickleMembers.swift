// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Iterates over the members of a dict, list or tuple, with the key or the position of each.
///
/// A list of pairs of a text and a value is a dict: users save `list(state_dict.items())`, and Python 2 wrote
/// subclasses of ordered dicts in this way.
struct PickleMembers {
    enum Key {
        /// A key of a dict, a value.
        case value(UInt32)
        /// A position in a list or tuple.
        case position(Int)
    }

    private enum Form { case dict, list, tuple }

    private let form: Form
    let arePairs: Bool
    /// Index in `pairs` or `items`.
    private var next: UInt32
    private var position = 0
    private var count = 0

    /// - Returns: nil for a value of another kind.
    init?(of container: UInt32, in pickle: borrowing Pickle) {
        let value = pickle[container]
        next = value.first
        switch value.kind {
        case .dict: form = .dict
        case .list: form = .list
        case .tuple:
            form = .tuple
            count = Int(value.second)
        default: return nil
        }
        arePairs = form != .dict && PickleMembers.arePairs(container, in: pickle)
    }

    private init(_ form: Form, _ value: PickleValue) {
        self.form = form
        arePairs = false
        next = value.first
        count = form == .tuple ? Int(value.second) : 0
    }

    private static func arePairs(_ sequence: UInt32, in pickle: borrowing Pickle) -> Bool {
        var members = PickleMembers(pickle[sequence].kind == .list ? .list : .tuple, pickle[sequence])
        var isEmpty = true
        while let (_, value) = members.next(in: pickle) {
            guard let pair = pickle.pair(value), pickle[pair.key].kind == .string else { return false }
            isEmpty = false
        }
        return !isEmpty
    }

    mutating func next(in pickle: borrowing Pickle) -> (key: Key, value: UInt32)? {
        guard let (key, value) = take(pickle) else { return nil }
        if arePairs, let pair = pickle.pair(value) { return (.value(pair.key), pair.value) }
        return (key, value)
    }

    private mutating func take(_ pickle: borrowing Pickle) -> (key: Key, value: UInt32)? {
        if form == .tuple {
            guard position < count else { return nil }
            position += 1
            return (.position(position - 1), pickle.items[Int(next) + position - 1])
        }
        guard next != PickleValue.none else { return nil }
        let entry = pickle.pairs[Int(next)]
        next = entry.next
        position += 1
        return (form == .dict ? .value(entry.key) : .position(position - 1), entry.value)
    }

    /// The next member whose key is a text.
    mutating func nextNamed(in pickle: borrowing Pickle) -> (key: UInt32, value: UInt32)? {
        while let (key, value) = next(in: pickle) {
            if case .value(let key) = key, pickle[key].kind == .string { return (key, value) }
        }
        return nil
    }
}

extension Pickle {
    /// Whether a value is a tensor or an array, supported or not. A single NumPy number, such as an accuracy, and an
    /// array of texts or objects do not make a dict a state dict.
    func isTensor(_ index: UInt32) -> Bool {
        let value = self[index]
        if value.kind == .unread {
            guard value.first == UInt32(UnreadTensor.array.rawValue) else { return true }
            let code = texts[Int(value.second)].value.map { text($0) } ?? Bytes(start: nil, count: 0)
            return DTypeNames.row(of: code) { $0.numpy } != nil
        }
        guard value.kind == .tensor else { return false }
        let tensor = tensors[Int(value.first)]
        guard case .bytes = storages[Int(tensor.storage)].source else { return true }
        return self[tensor.sizes].second > 0
    }
}
