// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A value of a pickle: a kind and two numbers, which are indices into the tables of a `Pickle`.
///
/// Values refer to each other by index and are never copied, so that a pickle that mentions one value a million times
/// ("memo bomb") costs a million indices and not a million values.
struct PickleValue {
    enum Kind: UInt8 {
        /// A number, text or object of no further interest here.
        case other
        /// `first` and `second` are the low and high half of an Int64.
        case integer
        /// Bytes `first ..< first + second` of the pickle.
        case string
        /// Items `first ..< first + second` of `items`.
        case tuple
        /// Its items are not kept: nothing that is read from a checkpoint lies in a list.
        case list
        /// Chain in `pairs` from `first` to `last`.
        case dict
        /// A name of a class or function: `first` in `globals`.
        case global
        /// `first` in `storages`.
        case storage
        /// `first` in `tensors`.
        case tensor
        /// What an unknown class or function would have made: `first` in `globals`.
        case opaque
    }

    /// No index.
    static var none: UInt32 { .max }

    var kind: Kind
    var first = none
    var second = none

    var integer: Int { Int(Int64(bitPattern: UInt64(second) << 32 | UInt64(first))) }
}

/// The names of classes and functions that mean something in a checkpoint; of nothing else does the meaning matter.
enum PickleGlobal: Equatable {
    case orderedDict
    case rebuildTensor
    case rebuildParameter
    /// `torch.FloatStorage` and its like.
    case storage(DType)
    case unknown

    init(module: Bytes, name: Bytes) {
        self = .unknown
        if equal(module, "collections") {
            if equal(name, "OrderedDict") { self = .orderedDict }
        } else if equal(module, "torch._utils") {
            if equal(name, "_rebuild_tensor_v2") || equal(name, "_rebuild_tensor") { self = .rebuildTensor }
            if equal(name, "_rebuild_parameter") { self = .rebuildParameter }
            if equal(name, "_rebuild_parameter_with_state") { self = .rebuildParameter }
        } else if equal(module, "torch") {
            if equal(name, "FloatStorage") { self = .storage(.float32) }
            if equal(name, "HalfStorage") { self = .storage(.float16) }
            if equal(name, "BFloat16Storage") { self = .storage(.bfloat16) }
            if equal(name, "DoubleStorage") { self = .storage(.float64) }
            if equal(name, "LongStorage") { self = .storage(.int64) }
            if equal(name, "IntStorage") { self = .storage(.int32) }
            if equal(name, "ShortStorage") { self = .storage(.int16) }
            if equal(name, "CharStorage") { self = .storage(.int8) }
            if equal(name, "ByteStorage") { self = .storage(.uint8) }
            if equal(name, "BoolStorage") { self = .storage(.bool) }
        }
    }
}

/// What a pickle describes: tables of values that refer to each other by index. It may be cyclic; nothing here follows
/// it further than a fixed number of steps.
struct Pickle: ~Copyable {
    struct Pair {
        var key: UInt32
        var value: UInt32
        /// Of the next pair of the same dict.
        var next: UInt32
    }

    struct Global {
        var module: TextRange
        var name: TextRange
        var meaning: PickleGlobal
    }

    /// A storage as the persistent id of a tensor names it.
    struct Storage {
        var dtype: DType
        var key: TextRange
        var elementCount: Int
    }

    struct Tensor {
        /// In `storages`.
        var storage: UInt32
        /// In elements.
        var offset: Int
        /// Two tuples.
        var sizes: UInt32
        var strides: UInt32
    }

    let bytes: UniqueArray<UInt8>
    var values = UniqueArray<PickleValue>()
    var items = UniqueArray<UInt32>()
    var pairs = UniqueArray<Pair>()
    var globals = UniqueArray<Global>()
    var storages = UniqueArray<Storage>()
    var tensors = UniqueArray<Tensor>()
    var root = 0

    init(bytes: consuming UniqueArray<UInt8>) {
        self.bytes = bytes
    }

    subscript(index: UInt32) -> PickleValue { values[Int(index)] }

    func text(_ range: TextRange) -> Bytes { bytes.elements.slice(range) }

    /// The bytes of a string; nil for any other value.
    func string(_ index: UInt32) -> Bytes? {
        let value = self[index]
        guard value.kind == .string else { return nil }
        return text(TextRange(start: value.first, count: value.second))
    }

    func integer(_ index: UInt32) -> Int? {
        let value = self[index]
        return value.kind == .integer ? value.integer : nil
    }

    /// What the value under a string key of a dict is; the last one, as in Python, if the key comes more than once.
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

    /// A message's name for what a value is.
    func describe(_ index: UInt32) -> Message {
        let value = self[index]
        switch value.kind {
        case .opaque where value.first != PickleValue.none:
            let global = globals[Int(value.first)]
            return "an object of \(text(global.module)).\(text(global.name))"
        case .global: return "a class or function"
        case .integer: return "a number"
        case .string: return "a string"
        case .tuple: return "a tuple"
        case .list: return "a list"
        case .dict: return "a dict"
        case .storage: return "a storage"
        case .tensor: return "a tensor"
        case .other, .opaque: return "an object of another kind"
        }
    }
}
