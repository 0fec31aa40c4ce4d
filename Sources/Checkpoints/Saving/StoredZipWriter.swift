// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// 1.0: members are neither compressed nor folders.
private let zipVersion: UInt16 = 10
/// 1980-01-01, the first valid day.
private let zipDate: UInt16 = 0x21

/// Writes a zip archive of stored members whose bytes begin at multiples of 64, so that PyTorch can map them.
///
/// The headers have all sizes, so nothing follows a member, and neither times nor other data of the machine:
/// the same members give the same bytes. (Format: PKWARE APPNOTE.TXT 6.3.)
struct StoredZipWriter: ~Copyable {
    private var file: ReplacementFile
    private let crc: CRC32
    private var header = UniqueArray<UInt8>()
    private var directory = UniqueArray<UInt8>()
    private var memberCount = 0
    /// Bytes written, which must fit 32 bits: wider numbers, which no supported network needs, are not written.
    private var position = 0

    private static var alignment: Int { 64 }
    private static var localHeaderSize: Int { 30 }

    init(path: UnsafePointer<CChar>) throws(BackboneError) {
        let crc = try CRC32()
        file = try ReplacementFile(path: path)
        self.crc = crc
    }

    /// Adds a member.
    ///
    /// - Parameter name: ASCII.
    mutating func add(_ name: Bytes, _ memory: UnsafeRawPointer, count: Int) throws(BackboneError) {
        let start = position
        // PyTorch's own field, of an ID and its size, whose padding has no meaning.
        let end = start + StoredZipWriter.localHeaderSize + name.count + 4
        let padding = (StoredZipWriter.alignment - end % StoredZipWriter.alignment) % StoredZipWriter.alignment
        guard memberCount < Int(UInt16.max), let payloadEnd = checkedSum(end + padding, count),
            payloadEnd < Int(UInt32.max)
        else {
            throw BackboneError(
                .invalidArgument, "the weights are too large for a .pth file; choose a name that ends in .safetensors")
        }
        let checksum = crc.update(0, memory, count: count)
        header.removeAll()
        try header.append("PK\u{3}\u{4}")
        try header.append(fieldsOfMember: checksum, size: UInt32(count), nameSize: UInt16(name.count))
        try header.append(littleEndian: UInt16(4 + padding))
        try header.append(name)
        try header.append("FB")
        try header.append(littleEndian: UInt16(padding))
        for _ in 0..<padding { try header.append("Z") }
        if let bytes = header.elements.baseAddress { try file.write(bytes, count: header.count) }
        try file.write(memory, count: count)

        try directory.append("PK\u{1}\u{2}")
        try directory.append(littleEndian: zipVersion)  // of the writer
        try directory.append(fieldsOfMember: checksum, size: UInt32(count), nameSize: UInt16(name.count))
        for _ in 0..<4 { try directory.append(littleEndian: UInt16(0)) }  // extra, comment, disk, attributes
        try directory.append(littleEndian: UInt32(0))  // attributes of the file
        try directory.append(littleEndian: UInt32(start))
        try directory.append(name)
        memberCount += 1
        position = payloadEnd
    }

    /// Writes the directory and renames the file to its path.
    mutating func finish() throws(BackboneError) {
        guard let end = checkedSum(position, directory.count), end < Int(UInt32.max) else {
            throw BackboneError(
                .invalidArgument, "the weights are too large for a .pth file; choose a name that ends in .safetensors")
        }
        let size = directory.count
        try directory.append("PK\u{5}\u{6}")
        try directory.append(littleEndian: UInt32(0))  // this disk, and that of the directory
        try directory.append(littleEndian: UInt16(memberCount))
        try directory.append(littleEndian: UInt16(memberCount))
        try directory.append(littleEndian: UInt32(size))
        try directory.append(littleEndian: UInt32(position))
        try directory.append(littleEndian: UInt16(0))  // comment
        if let bytes = directory.elements.baseAddress { try file.write(bytes, count: directory.count) }
        try file.commit()
    }
}

extension UniqueArray where Element == UInt8 {
    /// The common fields of a local header and an entry of the directory.
    fileprivate mutating func append(
        fieldsOfMember checksum: UInt32, size: UInt32, nameSize: UInt16
    ) throws(BackboneError) {
        try append(littleEndian: zipVersion)  // to read it
        try append(littleEndian: UInt16(0))  // flags
        try append(littleEndian: UInt16(0))  // stored
        try append(littleEndian: UInt16(0))  // time
        try append(littleEndian: zipDate)
        try append(littleEndian: checksum)
        try append(littleEndian: size)
        try append(littleEndian: size)
        try append(littleEndian: nameSize)
    }
}
