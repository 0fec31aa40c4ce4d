// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The regular files of a tar archive (POSIX.1-2017, pax: ustar headers, and extended ones for long names and sizes).
struct TarArchive: ~Copyable {
    private static var blockSize: Int { 512 }

    private struct Member {
        var name: TextRange
        /// The range of its bytes in the file.
        var range: Range<Int>
    }

    private var members = UniqueArray<Member>()
    private var names = UniqueArray<UInt8>()

    /// Whether a file begins with a header of a tar archive.
    static func isTar(_ beginning: Bytes) -> Bool {
        beginning.count >= blockSize && TarHeader(beginning.slice(0, blockSize)) != nil
    }

    /// - Throws: `badCheckpoint` with the place of the fault, `io`, `outOfMemory`.
    init(_ file: FileReference) throws(BackboneError) {
        var position = 0
        var attributes = TarAttributes()
        var count = 0
        while file.size - position >= TarArchive.blockSize {
            let block = try file.read(at: position, count: TarArchive.blockSize)
            // The archive ends with blocks of zeros.
            if block.elements.areZeros { break }
            count += 1
            guard count <= Limits.tarMembers else {
                throw BackboneError(.badCheckpoint, "the tar archive has more than \(Limits.tarMembers) members")
            }
            guard let header = TarHeader(block.elements) else {
                throw BackboneError.damagedFile("the tar archive is damaged at byte \(position)")
            }
            let start = position + TarArchive.blockSize
            let size = header.isExtension ? header.size : attributes.size ?? header.size
            let padding = (TarArchive.blockSize - size % TarArchive.blockSize) % TarArchive.blockSize
            guard let end = checkedSum(size, padding), end <= file.size - start else {
                throw BackboneError.damagedFile(
                    """
                    the tar archive is cut off: the member at byte \(start) has \(size) bytes, of which \
                    \(file.size - start) are left
                    """
                )
            }
            if header.isExtension {
                if header.type == UInt8(ascii: "x") { try attributes.read(file, start..<start + size) }
            } else {
                if header.isFile {
                    let name = names.count
                    if attributes.path.isEmpty { try header.appendName(block.elements, to: &names) }
                    try names.append(attributes.path.elements)
                    try members.append(
                        Member(
                            name: TextRange(start: UInt32(name), count: UInt32(names.count - name)),
                            range: start..<start + size))
                }
                attributes = TarAttributes()
            }
            position = start + end
        }
    }

    /// The position of the bytes of a file in the archive.
    ///
    /// - Throws: `badCheckpoint` if the archive has no member of that name, or several.
    func find(_ name: StaticString) throws(BackboneError) -> Range<Int> {
        var found: Range<Int>?
        for index in 0..<members.count where equal(names.elements.slice(members[index].name), name) {
            if found != nil { throw BackboneError(.badCheckpoint, "the tar archive has two members '\(name)'") }
            found = members[index].range
        }
        guard let found else {
            throw BackboneError(
                .badCheckpoint,
                "tar archive without a checkpoint: no member '\(name)'; unpack it and load the file in it")
        }
        return found
    }
}

private struct TarHeader {
    let size: Int
    let type: UInt8

    /// Nil if the magic, the checksum or the size is wrong.
    init?(_ block: Bytes) {
        guard block.slice(257, 5).hasPrefix("ustar"), let checksum = TarHeader.octal(block.slice(148, 8)),
            let size = TarHeader.number(block.slice(124, 12))
        else { return nil }
        // The sum of all bytes, with spaces in place of the checksum.
        var sum = 8 * 0x20
        for index in 0..<block.count where !(148..<156).contains(index) { sum += Int(block[index]) }
        guard sum == checksum else { return nil }
        self.size = size
        type = block[156]
    }

    /// A header of attributes: of the next member, or of all.
    var isExtension: Bool { type == UInt8(ascii: "x") || type == UInt8(ascii: "g") }

    var isFile: Bool { type == UInt8(ascii: "0") || type == 0 }

    /// Its name, which may be in two parts.
    func appendName(_ block: Bytes, to names: inout UniqueArray<UInt8>) throws(BackboneError) {
        let prefix = TarHeader.text(block.slice(345, 155))
        if prefix.count > 0 && block.slice(257, 6).hasPrefix("ustar\0") {
            try names.append(prefix)
            try names.append("/")
        }
        try names.append(TarHeader.text(block.slice(0, 100)))
    }

    /// The bytes before the first zero.
    private static func text(_ field: Bytes) -> Bytes {
        var count = 0
        while count < field.count && field[count] != 0 { count += 1 }
        return field.slice(0, count)
    }

    private static func octal(_ field: Bytes) -> Int? {
        var value = 0
        var index = 0
        while index < field.count && field[index] == 0x20 { index += 1 }
        let first = index
        while index < field.count, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(field[index]) {
            // At most twelve digits.
            value = value << 3 | Int(field[index] & 7)
            index += 1
        }
        guard index > first, index == field.count || field[index] == 0 || field[index] == 0x20 else { return nil }
        return value
    }

    /// A number in octal digits, or binary after a byte of 128.
    private static func number(_ field: Bytes) -> Int? {
        guard field[0] == 0x80 else { return octal(field) }
        var value = 0
        for index in 1..<field.count {
            guard value <= Int.max >> 8 else { return nil }
            value = value << 8 | Int(field[index])
        }
        return value
    }
}

/// The attributes of the next member from an extended header: lines "12 key=value", each preceded by its own length.
private struct TarAttributes: ~Copyable {
    private(set) var path = UniqueArray<UInt8>()
    private(set) var size: Int?

    init() {}

    mutating func read(_ file: FileReference, _ range: Range<Int>) throws(BackboneError) {
        guard range.count <= Limits.tarAttributeBytes else {
            throw BackboneError(.badCheckpoint, "the tar archive has \(range.count) bytes of attributes")
        }
        let bytes = try file.read(at: range.lowerBound, count: range.count)
        var start = 0
        while start < bytes.count {
            let rest = bytes.elements.slice(start, bytes.count - start)
            guard let space = rest.position(of: UInt8(ascii: " ")), let count = decimal(rest.slice(0, space)),
                count > space + 1, count <= rest.count, rest[count - 1] == UInt8(ascii: "\n"),
                let equals = rest.position(of: UInt8(ascii: "=")), equals > space, equals < count - 1
            else {
                throw BackboneError.damagedFile(
                    "the attributes in the tar archive are damaged at byte \(range.lowerBound + start)")
            }
            let key = rest.slice(space + 1, equals - space - 1)
            let value = rest.slice(equals + 1, count - equals - 2)
            if equal(key, "path") {
                path.removeAll()
                try path.append(value)
            } else if equal(key, "size") {
                guard let number = decimal(value), number >= 0 else {
                    throw BackboneError(.badCheckpoint, "a member of the tar archive has a size of '\(value)'")
                }
                size = number
            }
            start += count
        }
    }
}
