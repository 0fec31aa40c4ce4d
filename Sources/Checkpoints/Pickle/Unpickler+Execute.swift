// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Unpickler {
    /// Executes one instruction.
    mutating func execute(_ opcode: Opcode) throws(BackboneError) {
        switch opcode {
        case .proto:
            guard let version = try reader.uint8() else { throw cutOff() }
            guard version <= 5 else { throw damaged("protocol \(Int(version)), expected at most 5") }
        case .frame:
            guard let size = try reader.uint64(), size <= UInt64(reader.remaining) else { throw cutOff() }
        case .stop: break

        case .mark: try mark()
        case .pop: try popOrMark()
        case .popMark: try drop(popMark())
        case .dup: try push(top())

        case .none: try push(.none)
        case .newTrue: try push(PickleValue(.boolean, 1))
        case .newFalse: try push(PickleValue(.boolean, 0))
        case .binInt: try push(integer: reader.uint32().map { Int64(Int32(bitPattern: $0)) })
        case .binInt1: try push(integer: reader.uint8().map { Int64($0) })
        case .binInt2: try push(integer: reader.uint16().map { Int64($0) })
        case .long1: try pushLong(size: reader.uint8().map { Int($0) })
        case .long4: try pushLong(size: reader.uint32().map { Int($0) })
        case .binFloat:
            guard let bits = try reader.uint64() else { throw cutOff() }
            try push(PickleValue(number: Double(bitPattern: bits.byteSwapped)))
        case .int: try pushIntegerOfLine(mayBeBoolean: true)
        case .long: try pushIntegerOfLine(mayBeBoolean: false)
        case .float:
            _ = try takeLine()
            try push(.number)

        case .shortBinString: try pushText(.string, .plain, size: reader.uint8().map { Int($0) })
        case .binString: try pushText(.string, .plain, size: reader.uint32().map { Int($0) })
        case .shortBinUnicode: try pushText(.string, .utf8, size: reader.uint8().map { Int($0) })
        case .binUnicode: try pushText(.string, .utf8, size: reader.uint32().map { Int($0) })
        case .binUnicode8: try pushText(.string, .utf8, size: reader.uint64().flatMap { Int(exactly: $0) })
        case .shortBinBytes: try pushText(.bytes, .plain, size: reader.uint8().map { Int($0) })
        case .binBytes: try pushText(.bytes, .plain, size: reader.uint32().map { Int($0) })
        case .binBytes8, .byteArray8:
            try pushText(.bytes, .plain, size: reader.uint64().flatMap { Int(exactly: $0) })
        case .string: try pushTextOfLine(.literal)
        case .unicode: try pushTextOfLine(.rawUnicode)

        case .emptyTuple: try pushTuple(of: 0)
        case .tuple: try pushTuple(of: popMark())
        case .tuple1: try pushTuple(of: 1)
        case .tuple2: try pushTuple(of: 2)
        case .tuple3: try pushTuple(of: 3)
        case .emptyList, .emptySet: try push(.list)
        case .list, .frozenSet: try push(.list, of: popMark())
        case .append: try appendItems(1)
        case .appends, .addItems: try appendItems(popMark())
        case .emptyDict: try push(.dict)
        case .dict: try push(.dict, of: popMark())
        case .setItem: try setItems(2)
        case .setItems: try setItems(popMark())

        case .put: try memoize(at: slotOfLine())
        case .get: try recall(slotOfLine())
        case .binPut: try memoize(at: slot(reader.uint8().map { Int($0) }))
        case .longBinPut: try memoize(at: slot(reader.uint32().map { Int($0) }))
        case .memoize: try memoizeNext()
        case .binGet: try recall(slot(reader.uint8().map { Int($0) }))
        case .longBinGet: try recall(slot(reader.uint32().map { Int($0) }))

        case .global: try pushGlobalOfLines()
        case .stackGlobal: try pushGlobalOfStack()
        case .reduce: try reduce()
        case .newObject: try makeObject(keywordArguments: false)
        case .newObjectExtended: try makeObject(keywordArguments: true)
        case .inst: try makeObjectOfLines()
        case .obj: try makeObjectOfMark()
        case .build: try build()
        case .persistentID: try pushPersistentOfLine()
        case .binPersistentID: try pushPersistent()
        }
    }

    private func slot(_ number: Int?) throws(BackboneError) -> Int {
        guard let number else { throw cutOff() }
        return number
    }

    private mutating func push(integer: Int64?) throws(BackboneError) {
        guard let integer else { throw cutOff() }
        try push(PickleValue(integer: integer))
    }

    /// A two's complement number of any length, of which only those that fit an Int64 matter.
    private mutating func pushLong(size: Int?) throws(BackboneError) {
        guard let size else { throw cutOff() }
        guard size <= 8 else {
            guard reader.skip(size) else { throw cutOff() }
            return try push(.number)
        }
        guard let bytes = try reader.take(size) else { throw cutOff() }
        var bits: UInt64 = size > 0 && bytes[size - 1] & 0x80 != 0 ? .max : 0
        for index in stride(from: size - 1, through: 0, by: -1) { bits = bits << 8 | UInt64(bytes[index]) }
        try push(PickleValue(integer: Int64(bitPattern: bits)))
    }

    /// A string or bytes, preceded by its length.
    private mutating func pushText(
        _ kind: PickleValue.Kind, _ form: TextForm, size: Int?
    ) throws(BackboneError) {
        guard let size else { throw cutOff() }
        var text = Pickle.Text(position: reader.position, count: size, form: form)
        if size <= Limits.pickleTextBytes {
            guard let bytes = try reader.take(size) else { throw cutOff() }
            let start = pickle.text.count
            try pickle.text.append(bytes)
            text.value = try range(from: start)
        } else {
            guard reader.skip(size) else { throw cutOff() }
        }
        try pickle.texts.append(text)
        try push(PickleValue(kind, pickle.texts.count - 1))
    }

    /// The text appended to the pickle's text from `start` on.
    func range(from start: Int) throws(BackboneError) -> TextRange {
        guard pickle.text.count <= Limits.pickleBytes else {
            throw damaged("its strings have more than \(Limits.pickleBytes) bytes")
        }
        return TextRange(start: UInt32(start), count: UInt32(pickle.text.count - start))
    }
}
