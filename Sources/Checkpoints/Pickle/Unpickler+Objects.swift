// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Classes, functions and what they would make. Only what a tensor is made of is understood.
extension Unpickler {
    mutating func pushGlobalOfLines() throws(BackboneError) {
        let module = try takeLine()
        try push(makeGlobal(module: module, name: takeLine()))
    }

    mutating func pushGlobalOfStack() throws(BackboneError) {
        let name = try nameOfClass(pop())
        try push(makeGlobal(module: nameOfClass(pop()), name: name))
    }

    private func nameOfClass(_ index: UInt32) throws(BackboneError) -> TextRange {
        let value = pickle[index]
        guard value.kind == .string, let name = pickle.texts[Int(value.first)].value else {
            throw damaged("a class without a name")
        }
        return name
    }

    private mutating func makeGlobal(module: TextRange, name: TextRange) throws(BackboneError) -> UInt32 {
        let meaning = PickleGlobal(module: pickle.text(module), name: pickle.text(name))
        try pickle.globals.append(Pickle.Global(module: module, name: name, meaning: meaning))
        return try make(PickleValue(.global, pickle.globals.count - 1))
    }

    /// `callable(*arguments)`
    mutating func reduce() throws(BackboneError) {
        let arguments = try pop()
        try push(call(pop(), arguments))
    }

    /// `class.__new__(class, *arguments, **keywords)`, which for the classes that matter is the same as a call.
    mutating func makeObject(keywordArguments: Bool) throws(BackboneError) {
        if keywordArguments { try drop(1) }
        try reduce()
    }

    /// A class of two lines, and its arguments on the stack.
    mutating func makeObjectOfLines() throws(BackboneError) {
        let module = try takeLine()
        let global = try makeGlobal(module: module, name: takeLine())
        try pushTuple(of: popMark())
        let arguments = try pop()
        try push(call(global, arguments))
    }

    /// A class and its arguments on the stack.
    mutating func makeObjectOfMark() throws(BackboneError) {
        let count = try popMark()
        guard count > 0 else { throw damaged("an object without a class") }
        try pushTuple(of: count - 1)
        try reduce()
    }

    /// What a call or the making of an object gives.
    private mutating func call(_ callable: UInt32, _ arguments: UInt32) throws(BackboneError) -> UInt32 {
        let tuple = pickle[arguments]
        guard tuple.kind == .tuple else { throw damaged("a call without a tuple of arguments") }
        let function = pickle[callable]
        if function.kind == .opaque { return try make(PickleValue(.opaque)) }
        guard function.kind == .global else { throw damaged("a call of what is no function") }
        if pickle.meaning(callable) == .rebuildFromType {
            // `_rebuild_from_type_v2(function, type, arguments, state)`, which does not call itself.
            guard let inner = pickle.item(0, of: tuple), let innerArguments = pickle.item(2, of: tuple),
                pickle[inner].kind == .global, pickle[innerArguments].kind == .tuple
            else { return try make(PickleValue(.opaque, Int(function.first))) }
            return try result(of: inner, pickle[innerArguments])
        }
        return try result(of: callable, tuple)
    }

    private mutating func result(of function: UInt32, _ arguments: PickleValue) throws(BackboneError) -> UInt32 {
        let first = pickle.item(0, of: arguments)
        switch pickle.meaning(function) {
        case .dict: return try makeDict(of: first)
        case .set, .bytes:
            // A copy of what is given, or empty.
            guard let first else { return try makeEmpty(pickle.meaning(function)) }
            if pickle.meaning(function) == .set { return first }
            if let bytes = try encode(first) { return bytes }
        case .encode: if let first, let bytes = try encode(first) { return bytes }
        case .size, .rebuildParameter: if let first { return first }
        case .parameterClass: if let first, pickle[first].kind == .tensor { return first }
        case .newObject:
            if let first, pickle[first].kind == .global { return try makeOpaque(first) }
        case .rebuildTensor: return try rebuildTensor(arguments, function, metadata: 6)
        case .rebuildTensorWithType: return try rebuildTensor(arguments, function, type: 6, metadata: 7)
        case .loadFromBytes: if let first, let storage = try makeStorage(ofFile: first) { return storage }
        case .arrayType: if let first, let type = try makeArrayType(first) { return type }
        case .arrayFromBuffer: if let array = try makeArray(fromBuffer: arguments) { return array }
        case .arrayScalar: if let array = try makeScalar(arguments) { return array }
        default: break
        }
        return try makeOpaque(function)
    }

    /// An object of a class or of what a function makes, of which no more is known.
    mutating func makeOpaque(_ function: UInt32) throws(BackboneError) -> UInt32 {
        try make(PickleValue(.opaque, Int(pickle[function].first)))
    }

    private mutating func makeEmpty(_ meaning: PickleGlobal) throws(BackboneError) -> UInt32 {
        if meaning == .set { return try make(PickleValue(.list)) }
        let empty = TextRange(start: UInt32(pickle.text.count), count: 0)
        try pickle.texts.append(Pickle.Text(position: 0, count: 0, form: .plain, value: empty))
        return try make(PickleValue(.bytes, pickle.texts.count - 1))
    }

    /// The bytes that a string of characters below 256 stands for; nil if it is no string.
    private mutating func encode(_ string: UInt32) throws(BackboneError) -> UInt32? {
        let value = pickle[string]
        if value.kind == .bytes { return string }
        guard value.kind == .string else { return nil }
        return try make(PickleValue(.bytes, Int(value.first)))
    }

    /// An ordered dict, empty or of a list of pairs, as Python 2 writes it.
    private mutating func makeDict(of items: UInt32?) throws(BackboneError) -> UInt32 {
        let dict = try make(PickleValue(.dict))
        guard let items, pickle[items].kind == .list else { return dict }
        var position = pickle[items].first
        while position != PickleValue.none {
            let entry = pickle.pairs[Int(position)]
            position = entry.next
            guard let (key, value) = pair(entry.value) else { throw damaged("a dict of what are no pairs") }
            try append(key: key, value, to: dict)
        }
        return dict
    }

    /// The items of a tuple or list of two.
    private func pair(_ index: UInt32) -> (UInt32, UInt32)? {
        let value = pickle[index]
        if value.kind == .tuple, value.second == 2, let key = pickle.item(0, of: value),
            let second = pickle.item(1, of: value)
        {
            return (key, second)
        }
        guard value.kind == .list, value.first != PickleValue.none else { return nil }
        let key = pickle.pairs[Int(value.first)]
        guard key.next != PickleValue.none else { return nil }
        let second = pickle.pairs[Int(key.next)]
        return second.next == PickleValue.none ? (key.value, second.value) : nil
    }

    /// Sets the state of an object: of an ordered dict its attributes, which hold versions of modules.
    mutating func build() throws(BackboneError) {
        let state = try pop()
        let object = try top()
        switch pickle[object].kind {
        case .dict, .list: break
        case .arrayType: setByteOrder(of: object, pickle[state])
        case .tensor: try setTensorState(of: object, pickle[state])
        case .opaque:
            let value = pickle[object]
            let meaning = value.first == PickleValue.none ? .unknown : pickle.globals[Int(value.first)].meaning
            switch meaning {
            case .tensorClass, .parameterClass: try setTensorState(of: object, pickle[state])
            case .arrayReconstruct: try setArrayState(of: object, pickle[state])
            default: pickle.values[Int(object)].second = state
            }
        default: throw damaged("a state is given to \(pickle.describe(object))")
        }
    }
}
