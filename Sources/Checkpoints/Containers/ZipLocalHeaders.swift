// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

private let localSignature: UInt32 = 0x0403_4b50
private let localSize = 30

/// Sizes and checksum follow the member, so the local header need not know them.
private let descriptorFlag: UInt16 = 1 << 3

/// Reads the local headers, which alone record where the bytes of a member begin, and checks that they agree with the
/// directory and that the members follow each other.
func resolveLocalHeaders(
    of members: inout UniqueArray<ZipArchive.Member>, in file: FileReference, names: Bytes, end: Int
) throws(BackboneError) {
    var order = UniqueArray<Int32>()
    try order.reserve(members.count)
    for index in 0..<members.count { try order.append(Int32(index)) }
    let list = members.elements
    sort(order.mutableElements) { list[Int($0)].header < list[Int($1)].header }

    var previousEnd = 0
    var scratch = try UniqueArray<UInt8>(repeating: 0, count: localSize + 0xffff)
    guard let buffer = scratch.mutableElements.baseAddress else { return }
    for position in 0..<order.count {
        let index = Int(order[position])
        let member = members[index]
        let name = names.slice(member.name)
        // A gap holds at most the sizes that follow a member, never another local header.
        guard member.header >= previousEnd, member.header - previousEnd < (position == 0 ? 1 : localSize) else {
            throw damagedZip("its member '\(name)' overlaps another or follows a gap")
        }
        let headerSize = localSize + name.count
        guard let nameEnd = checkedSum(member.header, headerSize), nameEnd <= end else {
            throw damagedZip("its member '\(name)' is outside of it")
        }
        try file.read(at: member.header, count: headerSize, into: buffer)
        let header = Bytes(start: buffer, count: headerSize)
        guard let extraSize = extraSize(ofLocalHeader: header, of: member, name: name) else {
            throw damagedZip("its directory and the header of its member '\(name)' differ")
        }
        guard let payload = checkedSum(nameEnd, extraSize), let payloadEnd = checkedSum(payload, member.packedSize),
            payloadEnd <= end
        else { throw damagedZip("its member '\(name)' is outside of it") }
        members[index].payload = payload
        previousEnd = payloadEnd
    }
    guard end - previousEnd < localSize else { throw damagedZip("a gap precedes its directory") }
}

/// The size of the extra field of a local header that agrees with the directory, nil if it does not.
private func extraSize(ofLocalHeader header: Bytes, of member: ZipArchive.Member, name: Bytes) -> Int? {
    var reader = ByteReader(header)
    guard reader.uint32() == localSignature, reader.take(2) != nil, reader.uint16() == member.flags,
        reader.uint16() == member.method, reader.take(4) != nil, let checksum = reader.uint32(),
        let packedSize = reader.uint32(),
        let size = reader.uint32(), let nameSize = reader.uint16(), let extraSize = reader.uint16(),
        Int(nameSize) == name.count, let ownName = reader.take(name.count), equal(ownName, name)
    else { return nil }
    // Numbers that the header leaves to the descriptor are zero, or all ones if they are wider than 32 bits.
    let isLater = member.flags & descriptorFlag != 0
    func agree(_ number: UInt32, _ size: Int) -> Bool {
        UInt32(exactly: size) == number || number == UInt32.max || isLater && number == 0
    }
    guard agree(size, member.size), agree(packedSize, member.packedSize),
        checksum == member.checksum || isLater && checksum == 0
    else { return nil }
    return Int(extraSize)
}
