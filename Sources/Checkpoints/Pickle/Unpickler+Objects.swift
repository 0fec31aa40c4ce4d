// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Classes, functions and their objects. Only the parts of tensors are interpreted.
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

    /// `class.__new__(class, *arguments, **keywords)`, which for the relevant classes equals a call.
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

    /// The result of a call or of the creation of an object.
    private mutating func call(_ callable: UInt32, _ arguments: UInt32) throws(BackboneError) -> UInt32 {
        let tuple = pickle[arguments]
        guard tuple.kind == .tuple else { throw damaged("a call without a tuple of arguments") }
        let function = pickle[callable]
        if function.kind == .opaque || function.kind == .unread { return try makeOpaque(callable, arguments) }
        guard function.kind == .global else { throw damaged("a call of a value that is not a function") }
        if pickle.meaning(callable) == .rebuildFromType {
            // `_rebuild_from_type_v2(function, type, arguments, state)`, which does not call itself.
            guard let inner = pickle.item(0, of: tuple), let type = pickle.item(1, of: tuple),
                let innerArguments = pickle.item(2, of: tuple), pickle[inner].kind == .global,
                pickle[innerArguments].kind == .tuple
            else { return try makeOpaque(callable, arguments) }
            if case .unread(let kind) = pickle.meaning(type) { return try make(PickleValue(kind)) }
            return try result(of: inner, innerArguments)
        }
        return try result(of: callable, arguments)
    }

    private mutating func result(of function: UInt32, _ tuple: UInt32) throws(BackboneError) -> UInt32 {
        let arguments = pickle[tuple]
        let first = pickle.item(0, of: arguments)
        switch pickle.meaning(function) {
        case .dict: return try makeDict(of: first)
        case .list:
            // A copy of the argument, or empty.
            if let first { return first }
            return try make(PickleValue(.list))
        case .bytes:
            guard let first else { return try makeEmptyBytes() }
            if let bytes = try encode(first) { return bytes }
        case .encode: if let first, let bytes = try encode(first) { return bytes }
        case .size, .rebuildParameter: if let first { return first }
        case .parameterClass:
            if let first, pickle[first].kind == .tensor || pickle[first].kind == .unread { return first }
        case .newObject: if let first, let object = try makeNew(first, arguments) { return object }
        case .reconstructor: if let first, let object = try reconstruct(first, arguments) { return object }
        case .rebuildTensor: return try rebuildTensor(arguments, function, metadata: 6)
        case .rebuildTensorWithType: return try rebuildTensor(arguments, function, type: 6, metadata: 7)
        case .rebuildFromDevice: if let tensor = try rebuildFromDevice(arguments) { return tensor }
        case .unread(let kind): return try makeUnread(kind, of: first)
        case .loadFromBytes: if let first, let storage = try makeStorage(ofFile: first) { return storage }
        case .arrayType: if let first, let type = try makeArrayType(first) { return type }
        case .arrayFromBuffer: if let array = try makeArray(fromBuffer: arguments) { return array }
        case .arrayScalar: if let array = try makeScalar(arguments) { return array }
        default: break
        }
        return try makeOpaque(function, tuple)
    }

    /// `class.__new__(class, *arguments)`, which for the relevant classes equals a call.
    private mutating func makeNew(_ type: UInt32, _ arguments: PickleValue) throws(BackboneError) -> UInt32? {
        guard pickle[type].kind == .global || pickle[type].kind == .opaque else { return nil }
        let others = try make(PickleValue(.tuple, Int(arguments.first) + 1, arguments.second - 1))
        // A function that makes objects does not make classes; a file could otherwise nest such calls without end.
        guard pickle[type].kind == .global, pickle.meaning(type) != .newObject else {
            return try makeOpaque(type, others)
        }
        return try result(of: type, others)
    }

    /// An object of a class that derives from `dict`, `list` or another, with the value of that as its only argument.
    private mutating func reconstruct(_ type: UInt32, _ arguments: PickleValue) throws(BackboneError) -> UInt32? {
        guard pickle[type].kind == .global || pickle[type].kind == .opaque else { return nil }
        guard let value = pickle.item(2, of: arguments), pickle[value].kind != .none else {
            return try makeOpaque(type)
        }
        return try makeOpaque(type, make(PickleValue(.tuple, Int(arguments.first) + 2, 1)))
    }

    /// An object of a class or function, with its arguments.
    ///
    /// - Parameter arguments: a tuple, or none.
    mutating func makeOpaque(
        _ function: UInt32, _ arguments: UInt32 = PickleValue.none
    ) throws(BackboneError) -> UInt32 {
        let isGlobal = pickle[function].kind == .global
        try pickle.objects.append(
            Pickle.Object(global: isGlobal ? pickle[function].first : PickleValue.none, arguments: arguments))
        return try make(PickleValue(.opaque, pickle.objects.count - 1))
    }

    /// The dict of items set in an object; nil for an object without known values.
    mutating func items(of object: UInt32) throws(BackboneError) -> UInt32? {
        guard let known = pickle.object(object) else { return nil }
        if known.items != PickleValue.none { return known.items }
        let items = try make(PickleValue(.dict))
        pickle.objects[Int(pickle[object].first)].items = items
        return items
    }

    /// The list of items appended to an object; nil for an object without known values.
    mutating func elements(of object: UInt32) throws(BackboneError) -> UInt32? {
        guard let known = pickle.object(object) else { return nil }
        if known.elements != PickleValue.none { return known.elements }
        let elements = try make(PickleValue(.list))
        pickle.objects[Int(pickle[object].first)].elements = elements
        return elements
    }

    /// A tensor of a kind that is not read. `class` is the first argument of what makes a wrapper.
    private mutating func makeUnread(_ kind: UnreadTensor, of type: UInt32?) throws(BackboneError) -> UInt32 {
        guard kind == .wrapper, let type, pickle[type].kind == .global else { return try make(PickleValue(kind)) }
        if case .unread(let better) = pickle.meaning(type) { return try make(PickleValue(better)) }
        return try make(PickleValue(kind, detail: pickle[type].first))
    }

    private mutating func makeEmptyBytes() throws(BackboneError) -> UInt32 {
        let empty = TextRange(start: UInt32(pickle.text.count), count: 0)
        try pickle.texts.append(Pickle.Text(position: 0, count: 0, form: .plain, value: empty))
        return try make(PickleValue(.bytes, pickle.texts.count - 1))
    }

    /// The bytes of a string of characters below 256; nil if it is not a string.
    private mutating func encode(_ string: UInt32) throws(BackboneError) -> UInt32? {
        let value = pickle[string]
        if value.kind == .bytes { return string }
        guard value.kind == .string else { return nil }
        return try make(PickleValue(.bytes, Int(value.first)))
    }

    /// A dict, empty, given or of a list of pairs, as Python 2 writes an ordered one.
    private mutating func makeDict(of items: UInt32?) throws(BackboneError) -> UInt32 {
        if let items, pickle[items].kind == .dict { return items }
        let dict = try make(PickleValue(.dict))
        guard let items, pickle[items].kind == .list else { return dict }
        var position = pickle[items].first
        while position != PickleValue.none {
            let entry = pickle.pairs[Int(position)]
            position = entry.next
            guard let (key, value) = pickle.pair(entry.value) else { throw damaged("a dict whose items are not pairs") }
            try append(key: key, value, to: dict)
        }
        return dict
    }

    /// Sets the state of an object; that of an ordered dict is its attributes, which hold versions of modules.
    mutating func build() throws(BackboneError) {
        let state = try pop()
        let object = try top()
        switch pickle[object].kind {
        case .dict, .list, .unread: break
        case .arrayType: setByteOrder(of: object, pickle[state])
        case .tensor: try setTensorState(of: object, pickle[state])
        case .opaque:
            guard let known = pickle.object(object) else { break }
            let isKnown = known.global != PickleValue.none
            switch isKnown ? pickle.globals[Int(known.global)].meaning : .unknown {
            case .tensorClass, .parameterClass: try setTensorState(of: object, pickle[state])
            case .arrayReconstruct: try setArrayState(of: object, pickle[state])
            default: pickle.objects[Int(pickle[object].first)].state = state
            }
        default: throw damaged("a state is given to \(pickle.describe(object))")
        }
    }
}
