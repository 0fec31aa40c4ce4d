// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Follows the instructions of pickles as Python's unpickler does, and makes only values of the kinds that checkpoints
/// consist of.
///
/// Nothing is imported or called: names of classes and functions stay names, and their objects stay opaque. The
/// memory used is bounded by the number of instructions. (Instructions: CPython's Lib/pickletools.py.)
struct Unpickler: ~Copyable {
    var pickle = Pickle()
    var reader: PickleReader
    /// The objects of persistent ids that are numbers.
    var objects = PersistentObjects()
    private var stack = UniqueArray<UInt32>()
    /// Heights of the stack at which a MARK is.
    private var marks = UniqueArray<Int>()
    private var memo = UniqueArray<UInt32>()
    private var memoCount = 0
    private var instruction = 0
    private var instructionCount = 0

    init(_ reader: consuming PickleReader) {
        self.reader = reader
    }

    /// Reads the only pickle of the file.
    ///
    /// - Throws: `badCheckpoint` with the place of the fault, `io`, `outOfMemory`.
    static func readOne(_ reader: consuming PickleReader) throws(BackboneError) -> Pickle {
        var unpickler = Unpickler(reader)
        unpickler.pickle.root = try unpickler.read()
        guard unpickler.reader.remaining == 0 else { throw unpickler.damaged("more bytes follow its end") }
        return unpickler.finish()
    }

    /// Reads the next pickle. Values of earlier ones do not change.
    ///
    /// - Returns: its value, in `pickle`.
    mutating func read() throws(BackboneError) -> UInt32 {
        stack.removeAll()
        marks.removeAll()
        memo.removeAll()
        memoCount = 0
        while true {
            instruction = reader.position
            instructionCount += 1
            guard instructionCount <= Limits.pickleInstructions else {
                throw damaged("it has more than \(Limits.pickleInstructions) instructions")
            }
            guard let byte = try reader.uint8() else { throw cutOff() }
            guard let opcode = Opcode(rawValue: byte) else { throw damaged("unknown instruction \(Int(byte))") }
            if opcode == .stop { break }
            try execute(opcode)
        }
        return try pop()
    }

    /// The values of the pickles, without the memory used for reading them.
    consuming func finish() -> Pickle {
        var pickle = pickle
        pickle.memory = reader.memory()
        return pickle
    }

    func damaged(_ message: Message) -> BackboneError {
        BackboneError.damagedFile("its pickle is damaged at byte \(instruction): \(message)")
    }

    func cutOff() -> BackboneError { damaged("it is cut off") }
}

// The stack and the memo.
extension Unpickler {
    mutating func push(_ index: UInt32) throws(BackboneError) { try stack.append(index) }

    mutating func push(_ value: PickleValue) throws(BackboneError) { try push(make(value)) }

    mutating func push(_ kind: PickleValue.Kind) throws(BackboneError) { try push(PickleValue(kind)) }

    mutating func make(_ value: PickleValue) throws(BackboneError) -> UInt32 {
        try pickle.values.append(value)
        return UInt32(pickle.values.count - 1)
    }

    /// The number of values above the last mark.
    var height: Int { stack.count - (marks.isEmpty ? 0 : marks[marks.count - 1]) }

    mutating func pop() throws(BackboneError) -> UInt32 {
        guard height > 0 else { throw damaged("the stack is empty") }
        return stack.removeLast()
    }

    func top(_ depth: Int = 0) throws(BackboneError) -> UInt32 {
        guard height > depth else { throw damaged("the stack is empty") }
        return stack[stack.count - 1 - depth]
    }

    mutating func mark() throws(BackboneError) { try marks.append(stack.count) }

    /// Removes the last mark; the values above it, that many, stay on the stack.
    mutating func popMark() throws(BackboneError) -> Int {
        guard !marks.isEmpty else { throw damaged("the stack has no mark") }
        return stack.count - marks.removeLast()
    }

    mutating func drop(_ count: Int) throws(BackboneError) {
        for _ in 0..<count { _ = try pop() }
    }

    mutating func popOrMark() throws(BackboneError) {
        if height == 0 && !marks.isEmpty { _ = marks.removeLast() } else { _ = try pop() }
    }

    mutating func memoize(at slot: Int) throws(BackboneError) {
        guard slot >= 0, slot < Limits.pickleInstructions else { throw damaged("memo \(slot) is out of range") }
        let value = try top()
        while memo.count <= slot { try memo.append(PickleValue.none) }
        if memo[slot] == PickleValue.none { memoCount += 1 }
        memo[slot] = value
    }

    mutating func memoizeNext() throws(BackboneError) { try memoize(at: memoCount) }

    mutating func recall(_ slot: Int) throws(BackboneError) {
        guard slot >= 0, slot < memo.count, memo[slot] != PickleValue.none else {
            throw damaged("memo \(slot) was never set")
        }
        try push(memo[slot])
    }
}

// Tuples, lists and dicts.
extension Unpickler {
    /// Makes a tuple of the `count` values on top.
    mutating func pushTuple(of count: Int) throws(BackboneError) {
        guard height >= count else { throw damaged("the stack is empty") }
        let first = pickle.items.count
        for index in stack.count - count..<stack.count { try pickle.items.append(stack[index]) }
        try drop(count)
        try push(PickleValue(.tuple, first, UInt32(count)))
    }

    /// Adds the `count` values on top, keys and values in turn, to the dict below them.
    mutating func setItems(_ count: Int) throws(BackboneError) {
        guard count % 2 == 0 else { throw damaged("a key without a value") }
        let target = try top(count)
        switch pickle[target].kind {
        case .dict:
            for index in stride(from: stack.count - count, to: stack.count, by: 2) {
                try append(key: stack[index], stack[index + 1], to: target)
            }
        case .opaque:
            guard let dict = try items(of: target) else { break }
            for index in stride(from: stack.count - count, to: stack.count, by: 2) {
                try append(key: stack[index], stack[index + 1], to: dict)
            }
        case .unread: break
        default: throw damaged("items are set in \(pickle.describe(target))")
        }
        try drop(count)
    }

    /// Appends the `count` values on top to the list or set below them.
    mutating func appendItems(_ count: Int) throws(BackboneError) {
        let target = try top(count)
        switch pickle[target].kind {
        case .list:
            for index in stack.count - count..<stack.count { try append(stack[index], to: target) }
        case .opaque:
            guard let list = try elements(of: target) else { break }
            for index in stack.count - count..<stack.count { try append(stack[index], to: list) }
        case .unread: break
        default: throw damaged("items are appended to \(pickle.describe(target))")
        }
        try drop(count)
    }

    /// Appends a value to a list, or a pair to a dict.
    mutating func append(
        key: UInt32 = PickleValue.none, _ value: UInt32, to container: UInt32
    ) throws(BackboneError) {
        // A list may be made into a dict again and again.
        guard pickle.pairs.count < 2 * Limits.pickleInstructions else {
            throw damaged("its lists and dicts have more than \(2 * Limits.pickleInstructions) items")
        }
        let pair = UInt32(pickle.pairs.count)
        try pickle.pairs.append(Pickle.Pair(key: key, value: value, next: PickleValue.none))
        let last = pickle.values[Int(container)].second
        if last == PickleValue.none {
            pickle.values[Int(container)].first = pair
        } else {
            pickle.pairs[Int(last)].next = pair
        }
        pickle.values[Int(container)].second = pair
    }

    /// Makes a list or dict of the `count` values on top.
    mutating func push(_ kind: PickleValue.Kind, of count: Int) throws(BackboneError) {
        // It replaces its items on the stack after they have been counted.
        try pushTuple(of: count)
        let tuple = pickle[try pop()]
        try push(kind)
        for index in 0..<count { try push(pickle.items[Int(tuple.first) + index]) }
        if kind == .dict { try setItems(count) } else { try appendItems(count) }
    }
}
