// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Unpacks deflated bytes of a file (RFC 1951) from front to back, as many at a time as requested.
///
/// It uses memory for a window of the last bytes and a piece of the file, whatever the data say.
struct Inflater: ~Copyable {
    private enum State {
        case betweenBlocks
        /// A stored block with so many bytes left.
        case stored(Int)
        /// A block of codes.
        case coded
        case atEnd
    }

    private static var windowSize: Int { 32768 }

    private var input: PackedBits
    private var state = State.betweenBlocks
    private var isLastBlock = false
    private var literals: HuffmanCode
    private var distances: HuffmanCode
    /// The last bytes unpacked: byte `n` of all at `n % windowSize`.
    private let window: Buffer<UInt8>
    private var unpacked = 0
    /// The rest of a match that exceeded the requested bytes.
    private var matchLength = 0
    private var matchDistance = 0

    /// - Parameter packedSize: the number of deflated bytes of the file, from `position` on.
    init(_ file: FileReference, position: Int, packedSize: Int) throws(BackboneError) {
        let input = try PackedBits(file, position: position, count: packedSize)
        let literals = try HuffmanCode()
        let distances = try HuffmanCode()
        window = try Buffer<UInt8>(count: Inflater.windowSize)
        self.input = input
        self.literals = literals
        self.distances = distances
    }

    /// Unpacks the next `count` bytes.
    ///
    /// - Throws: `badCheckpoint` if the data are damaged or too few, `io`.
    mutating func read(_ count: Int, into memory: UnsafeMutableRawPointer) throws(BackboneError) {
        let out = memory.assumingMemoryBound(to: UInt8.self)
        var done = 0
        while done < count {
            if matchLength > 0 {
                copyMatch(to: out, &done, count)
                continue
            }
            switch state {
            case .betweenBlocks: try beginBlock()
            case .stored(let left):
                let wanted = min(left, count - done, Inflater.windowSize)
                let part = wanted > 0 ? try input.copyBytes(wanted, to: out + done) : 0
                remember(out + done, count: part)
                done += part
                state = part < left ? .stored(left - part) : isLastBlock ? .atEnd : .betweenBlocks
            case .coded: try decode(to: out, &done, count)
            case .atEnd: throw Inflater.damaged("they are fewer than the archive says")
            }
        }
    }

    /// Checks that nothing follows the bytes read.
    mutating func finish() throws(BackboneError) {
        var byte: UInt8 = 0
        var done = 0
        while true {
            switch state {
            case .betweenBlocks: try beginBlock()
            case .stored(0): state = isLastBlock ? .atEnd : .betweenBlocks
            case .coded where matchLength == 0: try decode(to: &byte, &done, 1)
            case .atEnd where input.isUsedUp: return
            default: throw Inflater.damaged("they are more than the archive says")
            }
            guard done == 0 else { throw Inflater.damaged("they are more than the archive says") }
        }
    }

    static func damaged(_ message: Message) -> BackboneError {
        BackboneError(.badCheckpoint, "its compressed bytes are wrong: \(message)")
    }

    @inline(__always)
    private mutating func emit(_ byte: UInt8, to out: UnsafeMutablePointer<UInt8>, _ done: inout Int) {
        window.start[unpacked & (Inflater.windowSize - 1)] = byte
        unpacked &+= 1
        out[done] = byte
        done &+= 1
    }

    /// Adds bytes that were unpacked without `emit` to the window, at most as many as it has.
    private mutating func remember(_ bytes: UnsafePointer<UInt8>, count: Int) {
        let start = unpacked & (Inflater.windowSize - 1)
        let first = min(count, Inflater.windowSize - start)
        (window.start + start).update(from: bytes, count: first)
        window.start.update(from: bytes + first, count: count - first)
        unpacked &+= count
    }

    private mutating func copyMatch(to out: UnsafeMutablePointer<UInt8>, _ done: inout Int, _ count: Int) {
        let part = min(matchLength, count - done)
        for _ in 0..<part {
            emit(window.start[(unpacked &- matchDistance) & (Inflater.windowSize - 1)], to: out, &done)
        }
        matchLength -= part
    }

    /// Unpacks codes until `count` bytes are unpacked, or up to a match or the end of the block.
    private mutating func decode(
        to out: UnsafeMutablePointer<UInt8>, _ done: inout Int, _ count: Int
    ) throws(BackboneError) {
        while done < count {
            let symbol = try literals.decode(&input)
            if symbol < 256 {
                emit(UInt8(truncatingIfNeeded: symbol), to: out, &done)
                continue
            }
            if symbol == 256 {
                state = isLastBlock ? .atEnd : .betweenBlocks
                return
            }
            guard symbol < 286 else { throw Inflater.damaged("a length that does not exist") }
            let length = try matchLength(of: symbol - 257)
            let code = try distances.decode(&input)
            guard code < 30 else { throw Inflater.damaged("a distance that does not exist") }
            let distance = try matchDistance(of: code)
            guard distance <= unpacked else { throw Inflater.damaged("a match begins before the first byte") }
            matchLength = length
            matchDistance = distance
            copyMatch(to: out, &done, count)
        }
    }

    /// Lengths 3 to 257 in groups of four codes, each group with one more bit to follow; the last code is 258.
    private mutating func matchLength(of code: Int) throws(BackboneError) -> Int {
        if code < 8 { return 3 + code }
        if code == 28 { return 258 }
        let bits = code / 4 - 1
        return 3 + (4 + code % 4) << bits + Int(try input.take(bits))
    }

    /// Distances 1 to 32768 in groups of two codes.
    private mutating func matchDistance(of code: Int) throws(BackboneError) -> Int {
        if code < 4 { return 1 + code }
        let bits = code / 2 - 1
        return 1 + (2 + code % 2) << bits + Int(try input.take(bits))
    }

    private mutating func beginBlock() throws(BackboneError) {
        if isLastBlock { throw Inflater.damaged("a block follows the last") }
        isLastBlock = try input.take(1) == 1
        switch try input.take(2) {
        case 0:
            input.skipToByte()
            let size = try input.take(16)
            guard try input.take(16) == ~size & 0xffff else { throw Inflater.damaged("the size of a block") }
            state = .stored(Int(size))
        case 1:
            try readFixedCodes()
            state = .coded
        case 2:
            try readCodes()
            state = .coded
        default: throw Inflater.damaged("a block of unknown kind")
        }
    }

    private mutating func readFixedCodes() throws(BackboneError) {
        var lengths: [320 of UInt8] = .init(repeating: 8)
        for symbol in 144..<256 { lengths[symbol] = 9 }
        for symbol in 256..<280 { lengths[symbol] = 7 }
        for code in 288..<320 { lengths[code] = 5 }
        try literals.assign(lengths, from: 0, count: 288)
        try distances.assign(lengths, from: 288, count: 32)
    }

    /// The codes of a block, as lengths that are themselves packed.
    private mutating func readCodes() throws(BackboneError) {
        let literalCount = Int(try input.take(5)) + 257
        let distanceCount = Int(try input.take(5)) + 1
        let lengthCount = Int(try input.take(4)) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw Inflater.damaged("too many codes") }
        let order: [19 of UInt8] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
        var lengths: [320 of UInt8] = .init(repeating: 0)
        for index in 0..<lengthCount { lengths[Int(order[index])] = UInt8(truncatingIfNeeded: try input.take(3)) }
        try literals.assign(lengths, from: 0, count: 19)

        lengths = .init(repeating: 0)
        let count = literalCount + distanceCount
        var index = 0
        while index < count {
            let symbol = try literals.decode(&input)
            if symbol < 16 {
                lengths[index] = UInt8(truncatingIfNeeded: symbol)
                index += 1
                continue
            }
            guard symbol > 16 || index > 0 else { throw Inflater.damaged("nothing to repeat") }
            let repeated = symbol == 16 ? lengths[index - 1] : 0
            let extra = try input.take(symbol == 16 ? 2 : symbol == 17 ? 3 : 7)
            let times = Int(extra) + (symbol == 18 ? 11 : 3)
            guard times <= count - index else { throw Inflater.damaged("too many codes") }
            for _ in 0..<times {
                lengths[index] = repeated
                index += 1
            }
        }
        guard lengths[256] > 0 else { throw Inflater.damaged("a block without an end") }
        try literals.assign(lengths, from: 0, count: literalCount)
        try distances.assign(lengths, from: literalCount, count: distanceCount)
    }
}
