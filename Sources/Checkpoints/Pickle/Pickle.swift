// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The values described by the pickles of a checkpoint: tables that refer to each other by index. They may be cyclic;
/// this code follows references only for a fixed number of steps.
struct Pickle: ~Copyable {
    /// An entry of a dict, or of a list with `none` as its key.
    struct Pair {
        var key: UInt32
        var value: UInt32
        /// Index of the next pair of the same dict.
        var next: UInt32
    }

    struct Global {
        var module: TextRange
        var name: TextRange
        var meaning: PickleGlobal
    }

    /// A string or bytes, as stored in the file.
    struct Text {
        /// Position of its first written byte, in the file or in `memory`.
        var position: Int
        var count: Int
        var form: TextForm
        /// Its content, in `text`; nil if that is too long.
        var value: TextRange?
    }

    /// The values of tensors: the storage of a persistent id, or the bytes of an array.
    struct Storage {
        enum Source {
            /// A key of the container: a text, none if it is not one.
            case key(UInt32)
            /// A place in the container.
            case place(Int)
            /// Bytes of the pickle: a text.
            case bytes(UInt32)
            /// Bytes of the pickle that are a file of `torch.save` with one storage: a text.
            case file(UInt32)
        }

        var source: Source
        /// Nil if only the file in the source records it.
        var dtype: DType?
        /// Whether the bytes of each number are in the opposite order.
        var isReversed = false
        /// Nil if only the tensor records it.
        var elementCount: Int?
        /// The range of elements, by numbers from the file; nil for all.
        var view: (start: Int, count: Int)?
    }

    /// The values given to an object of an unknown class. No code of the class has run.
    struct Object {
        /// Its class, or the function that would have made it: in `globals`, none if unknown.
        var global = PickleValue.none
        /// The arguments of the call that would have made it: a tuple.
        var arguments = PickleValue.none
        /// A dict of the items that were set in it.
        var items = PickleValue.none
        /// A list of the items that were appended to it.
        var elements = PickleValue.none
        var state = PickleValue.none
    }

    struct Tensor {
        enum Order {
            /// A tuple, in elements.
            case strides(UInt32)
            case rowMajor
            case columnMajor
            /// Row-major, then with its axes in the order of a tuple.
            case transposed(UInt32)
        }

        /// Index in `storages`.
        var storage: UInt32
        /// Nil for the dtype of its storage.
        var dtype: DType?
        /// Offset in elements.
        var offset = 0
        /// A tuple.
        var sizes: UInt32
        var order: Order
    }

    var values = UniqueArray<PickleValue>()
    var items = UniqueArray<UInt32>()
    var pairs = UniqueArray<Pair>()
    var globals = UniqueArray<Global>()
    var texts = UniqueArray<Text>()
    var text = UniqueArray<UInt8>()
    var storages = UniqueArray<Storage>()
    var tensors = UniqueArray<Tensor>()
    var objects = UniqueArray<Object>()
    /// The bytes of the pickle if it was not read from the file itself.
    var memory = UniqueArray<UInt8>()
    /// The value of the checkpoint itself.
    var root: UInt32 = 0

    subscript(index: UInt32) -> PickleValue { values[Int(index)] }

    func text(_ range: TextRange) -> Bytes { text.elements.slice(range) }

    /// The content of a string; nil for any other value, or if it is too long.
    func string(_ index: UInt32) -> Bytes? {
        let value = self[index]
        guard value.kind == .string else { return nil }
        return texts[Int(value.first)].value.map { text($0) }
    }

    func integer(_ index: UInt32) -> Int? {
        let value = self[index]
        return value.kind == .integer ? value.integer : nil
    }

    /// A number, 0 and 1 for False and True; nil for any other value, and for an unknown number.
    func number(_ index: UInt32) -> Double? {
        let value = self[index]
        switch value.kind {
        case .integer: return Double(value.integer)
        case .boolean: return Double(value.first)
        case .number: return value.number.isNaN ? nil : value.number
        default: return nil
        }
    }

    func isTrue(_ index: UInt32) -> Bool { self[index].kind == .boolean && self[index].first == 1 }

    /// The values of an object of an unknown class; nil for any other value.
    func object(_ index: UInt32) -> Object? {
        let value = self[index]
        return value.kind == .opaque && value.first != PickleValue.none ? objects[Int(value.first)] : nil
    }

    /// Item `position` of a tuple, nil if it has none.
    func item(_ position: Int, of tuple: PickleValue) -> UInt32? {
        guard tuple.kind == .tuple, position < Int(tuple.second) else { return nil }
        return items[Int(tuple.first) + position]
    }

    /// The items of a tuple or list of two.
    func pair(_ index: UInt32) -> (key: UInt32, value: UInt32)? {
        let value = self[index]
        if value.kind == .tuple, value.second == 2, let key = item(0, of: value), let second = item(1, of: value) {
            return (key, second)
        }
        guard value.kind == .list, value.first != PickleValue.none else { return nil }
        let key = pairs[Int(value.first)]
        guard key.next != PickleValue.none else { return nil }
        let second = pairs[Int(key.next)]
        return second.next == PickleValue.none ? (key.value, second.value) : nil
    }

    /// The meaning of a global; `unknown` for any other value.
    func meaning(_ index: UInt32) -> PickleGlobal {
        let value = self[index]
        return value.kind == .global ? globals[Int(value.first)].meaning : .unknown
    }

    /// The value of a string key of a dict; the last one, as in Python, if the key is repeated.
    func value(of key: StaticString, in dict: UInt32) -> UInt32? {
        guard self[dict].kind == .dict else { return nil }
        var found: UInt32?
        var pair = self[dict].first
        while pair != PickleValue.none {
            let entry = pairs[Int(pair)]
            if let name = string(entry.key), equal(name, key) { found = entry.value }
            pair = entry.next
        }
        return found
    }

    /// A message's description of a value.
    func describe(_ index: UInt32) -> Message {
        let value = self[index]
        if let object = object(index), object.global != PickleValue.none {
            let global = globals[Int(object.global)]
            return "an object of \(text(global.module)).\(text(global.name))"
        }
        switch value.kind {
        case .none: return "None"
        case .boolean: return "True or False"
        case .global: return "a class or function"
        case .integer, .number: return "a number"
        case .unread: return describe(unread: value)
        case .string: return "a string"
        case .bytes: return "bytes"
        case .tuple: return "a tuple"
        case .list: return "a list"
        case .dict: return "a dict"
        case .storage: return "a storage"
        case .tensor: return "a tensor"
        case .arrayType: return "a dtype"
        case .other, .opaque: return "an object of another kind"
        }
    }
}
