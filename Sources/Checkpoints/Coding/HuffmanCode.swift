// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A canonical prefix code of deflated data (RFC 1951, 3.2.2), made from the lengths of the codes of its symbols.
struct HuffmanCode: ~Copyable {
    /// Codes up to this length are looked up at once, longer ones bit by bit.
    private static var lookupBits: Int { 10 }

    /// The symbol times 16 plus the length of its code, by the next bits, the first one lowest; 0 for longer codes.
    private let lookup: Buffer<UInt16>
    /// The symbols in the order of their codes, and the number of codes of each length.
    private let symbols: Buffer<UInt16>
    private var counts: [16 of Int] = .init(repeating: 0)

    init() throws(BackboneError) {
        let lookup = try Buffer<UInt16>(count: 1 << HuffmanCode.lookupBits)
        symbols = try Buffer<UInt16>(count: 288)
        self.lookup = lookup
    }

    /// Makes the code of symbols 0 ..< count, at most 288, from their lengths, 0 to 15 bits, in a part of a table.
    ///
    /// - Throws: `badCheckpoint` unless every sequence of bits has a meaning; a code of one symbol or none may lack some.
    mutating func assign(_ lengths: borrowing [320 of UInt8], from start: Int, count: Int) throws(BackboneError) {
        counts = .init(repeating: 0)
        for symbol in 0..<count { counts[Int(lengths[start + symbol])] += 1 }
        let used = count - counts[0]
        counts[0] = 0
        var left = 1
        var firsts: [16 of Int] = .init(repeating: 0)
        var codes: [16 of Int] = .init(repeating: 0)
        for length in 1...15 {
            left = 2 * left - counts[length]
            guard left >= 0 else { throw Inflater.damaged("codes overlap") }
            if length < 15 {
                firsts[length + 1] = firsts[length] + counts[length]
                codes[length + 1] = (codes[length] + counts[length]) << 1
            }
        }
        guard left == 0 || used == 0 || used == 1 && counts[1] == 1 else { throw Inflater.damaged("codes are missing") }

        lookup.start.update(repeating: 0, count: lookup.count)
        for symbol in 0..<count {
            let length = Int(lengths[start + symbol])
            guard length > 0 else { continue }
            symbols.start[firsts[length]] = UInt16(symbol)
            firsts[length] += 1
            let code = codes[length]
            codes[length] += 1
            guard length <= HuffmanCode.lookupBits else { continue }
            // The first bit of a code comes first, as the lowest.
            var slot = 0
            for bit in 0..<length where code >> bit & 1 == 1 { slot |= 1 << (length - 1 - bit) }
            while slot < lookup.count {
                lookup.start[slot] = UInt16(symbol << 4 | length)
                slot += 1 << length
            }
        }
    }

    /// Reads the next symbol.
    @inline(__always)
    func decode(_ input: inout PackedBits) throws(BackboneError) -> Int {
        let entry = Int(lookup.start[try input.peek() & (1 << HuffmanCode.lookupBits - 1)])
        if entry > 0 {
            try input.drop(entry & 15)
            return entry >> 4
        }
        return try decodeLong(&input)
    }

    @inline(never)
    private func decodeLong(_ input: inout PackedBits) throws(BackboneError) -> Int {
        var code = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            code |= Int(try input.take(1))
            if code - first < counts[length] { return Int(symbols.start[index + code - first]) }
            index += counts[length]
            first = (first + counts[length]) << 1
            code <<= 1
        }
        throw Inflater.damaged("a code that does not exist")
    }
}
