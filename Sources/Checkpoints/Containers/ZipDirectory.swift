// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

private let endSignature: UInt32 = 0x0605_4b50
private let end64Signature: UInt32 = 0x0606_4b50
private let end64LocatorSignature: UInt32 = 0x0706_4b50
private let memberSignature: UInt32 = 0x0201_4b50

private let endSize = 22
private let end64Size = 56
private let end64LocatorSize = 20
private let zip64ExtraID: UInt16 = 1

/// Flags that change what the bytes of a member mean: encryption (0, 6, 13) and patches (5).
private let unreadableFlags: UInt16 = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13

func damagedZip(_ message: Message) -> BackboneError {
    BackboneError.damagedFile("the zip archive is damaged or incomplete: \(message)")
}

/// The position of the central directory, from the records at the end of the file.
struct ZipDirectoryLocation {
    let start: Int
    let size: Int
    let memberCount: Int

    init(_ file: FileReference) throws(BackboneError) {
        // The end record is followed by a comment of at most 65535 bytes, which may end in zeros, and then by zeros that
        // do not belong to the archive. It is preceded by the zip64 records.
        let lastByte = try file.sizeWithoutTrailingZeros()
        let tailStart = max(lastByte - (end64Size + end64LocatorSize + endSize + 0xffff), 0)
        let tailEnd = min(file.size, lastByte + endSize + 0xffff)
        let tail = try file.read(at: tailStart, count: tailEnd - tailStart)
        let end = try ZipDirectoryLocation.findEnd(in: tail.elements, lastByte: lastByte - tailStart)

        var record = ByteReader(tail.elements.slice(end, endSize))
        guard record.uint32() != nil, let disk = record.uint16(), let startDisk = record.uint16(),
            let countHere = record.uint16(), let count = record.uint16(), let size = record.uint32(),
            let start = record.uint32()
        else { throw damagedZip("its end record is cut off") }
        guard disk == 0 || disk == 0xffff, startDisk == 0 || startDisk == 0xffff, countHere == count else {
            throw damagedZip("it claims to be one of several parts")
        }
        guard end >= end64LocatorSize,
            let wide = try Zip64End(tail.elements, locator: end - end64LocatorSize, tailStart: tailStart)
        else {
            self.start = Int(start)
            self.size = Int(size)
            memberCount = Int(count)
            try check(endsAt: tailStart + end)
            return
        }
        guard count == 0xffff || Int(count) == wide.count, size == UInt32.max || Int(size) == wide.size,
            start == UInt32.max || Int(start) == wide.start
        else { throw damagedZip("its end record and its zip64 end record differ") }
        self.start = wide.start
        self.size = wide.size
        memberCount = wide.count
        try check(endsAt: wide.position)
    }

    private func check(endsAt end: Int) throws(BackboneError) {
        guard checkedSum(start, size) == end else {
            throw damagedZip(
                "its directory of \(size) bytes at byte \(start) does not reach to its end record at \(end)")
        }
        guard memberCount <= Limits.zipMembers, size <= Limits.zipDirectoryBytes else {
            throw BackboneError(
                .badCheckpoint,
                """
                the zip archive has \(memberCount) members in a directory of \(size) bytes, more than is supported; \
                save it again with torch.save
                """
            )
        }
    }

    /// The position of the one end record whose comment reaches to the end of the file, except for zeros.
    ///
    /// - Parameter lastByte: the number of bytes of the tail up to the last that is not zero.
    private static func findEnd(in tail: Bytes, lastByte: Int) throws(BackboneError) -> Int {
        var found: Int?
        var position = min(tail.count - endSize, lastByte)
        while position >= 0 {
            var reader = ByteReader(tail.slice(position, endSize))
            if reader.uint32() == endSignature, reader.take(endSize - 6) != nil, let comment = reader.uint16(),
                (lastByte...tail.count).contains(position + endSize + Int(comment))
            {
                if found != nil { throw damagedZip("it has two end records") }
                found = position
            }
            position -= 1
        }
        guard let found else { throw damagedZip("it has no end record") }
        return found
    }
}

/// The end record with wide numbers that PyTorch always writes.
private struct Zip64End {
    let position: Int
    let count: Int
    let size: Int
    let start: Int

    /// Nil if no locator is at its place.
    init?(_ tail: Bytes, locator: Int, tailStart: Int) throws(BackboneError) {
        var reader = ByteReader(tail.slice(locator, end64LocatorSize))
        guard reader.uint32() == end64LocatorSignature else { return nil }
        guard let disk = reader.uint32(), let position = reader.uint64(), let disks = reader.uint32(), disk == 0,
            disks == 1, locator >= end64Size, position == UInt64(tailStart + locator - end64Size)
        else { throw damagedZip("its zip64 end record is not at the place that its locator names") }
        var record = ByteReader(tail.slice(locator - end64Size, end64Size))
        guard record.uint32() == end64Signature, record.uint64() == UInt64(end64Size - 12), record.take(4) != nil,
            record.uint32() == 0, record.uint32() == 0, let countHere = record.uint64(), let count = record.uint64(),
            countHere == count, let size = record.uint64(), let start = record.uint64(),
            let count = Int(exactly: count), let size = Int(exactly: size), let start = Int(exactly: start)
        else { throw damagedZip("its zip64 end record contradicts itself") }
        self.position = tailStart + locator - end64Size
        self.count = count
        self.size = size
        self.start = start
    }
}

/// The members as the central directory lists them.
func parseZipDirectory(_ directory: Bytes, count: Int) throws(BackboneError) -> UniqueArray<ZipArchive.Member> {
    var members = UniqueArray<ZipArchive.Member>()
    var reader = ByteReader(directory)
    for _ in 0..<count {
        guard reader.uint32() == memberSignature, reader.take(4) != nil, let flags = reader.uint16(),
            let method = reader.uint16(), reader.take(4) != nil, let checksum = reader.uint32(),
            let packedSize = reader.uint32(), let size = reader.uint32(), let nameSize = reader.uint16(),
            let extraSize = reader.uint16(), let commentSize = reader.uint16(), let disk = reader.uint16(),
            reader.take(6) != nil, let header = reader.uint32()
        else { throw damagedZip("member \(members.count) of its directory is cut off") }
        let nameStart = reader.position
        guard let name = reader.take(Int(nameSize)), let extra = reader.take(Int(extraSize)),
            reader.take(Int(commentSize)) != nil
        else { throw damagedZip("member \(members.count) of its directory is cut off") }
        guard flags & unreadableFlags == 0 else {
            throw BackboneError(
                .badCheckpoint, "the member '\(name)' of the zip archive is encrypted; decrypt it first")
        }
        guard method == ZipArchive.storedMethod || method == ZipArchive.deflatedMethod else {
            throw BackboneError(
                .badCheckpoint,
                """
                the member '\(name)' of the zip archive is compressed by method \(Int(method)), expected 0 (stored) or \
                8 (deflate)
                """
            )
        }
        var wide = Zip64Extra(extra)
        guard let size = wide.widen(size), let packedSize = wide.widen(packedSize), let header = wide.widen(header),
            wide.isUsedUp, disk == 0, isPlausible(size: size, packedSize: packedSize, method: method)
        else { throw damagedZip("the sizes of its member '\(name)' contradict each other") }
        try members.append(
            ZipArchive.Member(
                name: TextRange(start: UInt32(nameStart), count: UInt32(name.count)), flags: flags, method: method,
                checksum: checksum, size: size, packedSize: packedSize, header: header))
    }
    guard reader.remaining == 0 else { throw damagedZip("its directory is longer than its \(count) members") }
    return members
}

/// Whether so many bytes are possible for this method.
private func isPlausible(size: Int, packedSize: Int, method: UInt16) -> Bool {
    guard method == ZipArchive.deflatedMethod else { return size == packedSize }
    return size <= checkedProduct(packedSize, Limits.inflation) ?? .max
}

/// The field with the numbers that do not fit 32 bits, in the order of the header they belong to.
private struct Zip64Extra {
    private var numbers = ByteReader(Bytes(start: nil, count: 0))
    private var isSound = true

    init(_ extra: Bytes) {
        var reader = ByteReader(extra)
        var isFound = false
        while reader.remaining > 0 {
            guard let id = reader.uint16(), let size = reader.uint16(), let field = reader.take(Int(size)) else {
                isSound = false
                return
            }
            guard id == zip64ExtraID else { continue }
            if isFound { isSound = false }
            isFound = true
            numbers = ByteReader(field)
        }
    }

    /// The number itself, or the next wide one if it refers to that.
    mutating func widen(_ number: UInt32) -> Int? {
        guard number == UInt32.max else { return Int(number) }
        return numbers.uint64().flatMap { Int(exactly: $0) }
    }

    /// Whether the field had nothing else.
    var isUsedUp: Bool { isSound && numbers.remaining == 0 }
}
