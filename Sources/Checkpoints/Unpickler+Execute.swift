// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Unpickler {
    /// Does what one instruction says.
    mutating func execute(_ opcode: Opcode) throws(BackboneError) {
        switch opcode {
        case .proto:
            guard let version = reader.uint8() else { throw cutOff() }
            guard (2...5).contains(version) else { throw damaged("protocol \(Int(version)), expected 2 to 5") }
        case .frame:
            guard let size = reader.uint64(), size <= UInt64(reader.remaining) else { throw cutOff() }
        case .stop: break

        case .mark: try mark()
        case .pop: try popOrMark()
        case .popMark: try drop(popMark())
        case .dup: try push(top())

        case .none, .newTrue, .newFalse: try push(.other)
        case .binInt: try push(integer: reader.uint32().map { Int64(Int32(bitPattern: $0)) })
        case .binInt1: try push(integer: reader.uint8().map { Int64($0) })
        case .binInt2: try push(integer: reader.uint16().map { Int64($0) })
        case .long1: try pushLong(size: reader.uint8().map { Int($0) })
        case .long4: try pushLong(size: reader.uint32().map { Int($0) })
        case .binFloat: try pushSkipped(size: 8)

        case .shortBinString, .shortBinUnicode: try pushString(size: reader.uint8().map { Int($0) })
        case .binString, .binUnicode: try pushString(size: reader.uint32().map { Int($0) })
        case .binUnicode8: try pushString(size: reader.uint64().flatMap { Int(exactly: $0) })
        case .shortBinBytes: try pushSkipped(size: reader.uint8().map { Int($0) })
        case .binBytes: try pushSkipped(size: reader.uint32().map { Int($0) })
        case .binBytes8, .byteArray8: try pushSkipped(size: reader.uint64().flatMap { Int(exactly: $0) })

        case .emptyTuple: try pushTuple(of: 0)
        case .tuple: try pushTuple(of: popMark())
        case .tuple1: try pushTuple(of: 1)
        case .tuple2: try pushTuple(of: 2)
        case .tuple3: try pushTuple(of: 3)
        case .emptyList: try push(.list)
        case .list:
            try drop(popMark())
            try push(.list)
        case .append: try appendItems(1)
        case .appends: try appendItems(popMark())
        case .emptyDict: try push(.dict)
        case .dict: try pushDict(of: popMark())
        case .setItem: try setItems(2)
        case .setItems: try setItems(popMark())
        case .emptySet: try push(.opaque)
        case .addItems: try appendItems(popMark())
        case .frozenSet:
            try drop(popMark())
            try push(.opaque)

        case .binPut: try memoize(at: slot(reader.uint8().map { Int($0) }))
        case .longBinPut: try memoize(at: slot(reader.uint32().map { Int($0) }))
        case .memoize: try memoizeNext()
        case .binGet: try recall(slot(reader.uint8().map { Int($0) }))
        case .longBinGet: try recall(slot(reader.uint32().map { Int($0) }))

        case .global: try pushGlobalOfLines()
        case .stackGlobal: try pushGlobalOfStack()
        case .reduce, .newObject: try reduce(keywordArguments: false)
        case .newObjectExtended: try reduce(keywordArguments: true)
        case .build: try build()
        case .binPersistentID: try pushPersistent()
        }
    }

    private func slot(_ number: Int?) throws(BackboneError) -> Int {
        guard let number else { throw cutOff() }
        return number
    }

    private mutating func push(integer: Int64?) throws(BackboneError) {
        guard let integer else { throw cutOff() }
        let bits = UInt64(bitPattern: integer)
        try push(
            PickleValue(
                kind: .integer, first: UInt32(truncatingIfNeeded: bits), second: UInt32(truncatingIfNeeded: bits >> 32))
        )
    }

    /// A two's complement number of any length, of which only those that fit an Int64 matter.
    private mutating func pushLong(size: Int?) throws(BackboneError) {
        guard let size, let bytes = reader.take(size) else { throw cutOff() }
        guard size <= 8 else { return try push(.other) }
        var bits: UInt64 = size > 0 && bytes[size - 1] & 0x80 != 0 ? .max : 0
        for index in stride(from: size - 1, through: 0, by: -1) { bits = bits << 8 | UInt64(bytes[index]) }
        try push(integer: Int64(bitPattern: bits))
    }

    private mutating func pushString(size: Int?) throws(BackboneError) {
        let start = reader.position
        guard let size, reader.take(size) != nil else { throw cutOff() }
        try push(PickleValue(kind: .string, first: UInt32(start), second: UInt32(size)))
    }

    private mutating func pushSkipped(size: Int?) throws(BackboneError) {
        guard let size, reader.take(size) != nil else { throw cutOff() }
        try push(.other)
    }

    private mutating func pushDict(of count: Int) throws(BackboneError) {
        // The dict belongs below its items on the stack: it takes their place after they have been counted.
        try pushTuple(of: count)
        let tuple = pickle[try pop()]
        try push(.dict)
        for index in 0..<count { try push(pickle.items[Int(tuple.first) + index]) }
        try setItems(count)
    }
}
