// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// What is fuzzed: how a file is made of the fuzzer's bytes, and what is then done with it.
///
/// A new container needs a line here, and one in seeds.py where its files are to be made of parts.
struct Target: Sendable {
    let name: String
    let file: @Sendable (Input) -> [UInt8]
    let use: @Sendable (UnsafeRawBufferPointer) -> Void

    static let all = [
        // The bytes are a file, and all tensors in it are read.
        Target(name: "zip", file: { Array($0) }, use: readEverything),
        Target(name: "legacy", file: { Array($0) }, use: readEverything),
        Target(name: "pickled", file: { Array($0) }, use: readEverything),
        // A file is made of the bytes.
        Target(name: "tar", file: { tar($0) }, use: readEverything),
        Target(name: "deflate", file: { deflatedStorage($0) }, use: readEverything),
        Target(name: "pickle", file: { pickleInZip($0) }, use: readEverything),
        Target(name: "safetensors", file: { safetensors($0) }, use: readEverything),
        // The same of the states of optimizers.
        Target(name: "optimizer", file: { pickleInZip($0) }, use: readOptimizer),
        // The bytes are a file, and a network loads it through the C interface.
        Target(name: "load", file: { Array($0) }, use: loadIntoNetwork),
    ]
}

typealias Input = UnsafeBufferPointer<UInt8>

/// A zip archive with a pickle and two storages, of as many bytes as the first byte says and of 8. All checksums are 0,
/// which stands for none: the fuzzer need not find any.
private func pickleInZip(_ input: Input) -> [UInt8] {
    zip([
        Member(name: "a/data.pkl", data: Array(input.dropFirst())),
        Member(name: "a/data/0", data: (0..<(input.first ?? 0)).map { $0 }),
        Member(name: "a/data/1", data: Array(repeating: 0, count: 8)),
    ])
}

/// A zip archive with a storage of as many bytes as the first two say, which the rest of the bytes are, deflated; and a
/// tensor of all of it, of its beginning, or of some of it, by the remainder of that number by 3.
private func deflatedStorage(_ input: Input) -> [UInt8] {
    guard input.count >= 2 else { return Array(input) }
    let size = Int(input[0]) | Int(input[1]) << 8
    let offset = size % 3 == 0 ? 0 : size / 8
    let count = size % 3 == 0 ? size : size / 4
    let step = size % 3 == 2 ? 2 : 1
    // {"x": _rebuild_tensor_v2(("storage", ByteStorage, "0", "cpu", size), offset, (count,), (step,), False, None)}
    var pickle: [UInt8] = [0x80, 2]
    func add(_ text: String) { pickle += Array(text.utf8) }
    func add(string text: String) { pickle += Array("X".utf8) + little32(text.utf8.count) + Array(text.utf8) }
    add("}")
    add(string: "x")
    add("ctorch._utils\n_rebuild_tensor_v2\n((")
    add(string: "storage")
    add("ctorch\nByteStorage\n")
    add(string: "0")
    add(string: "cpu")
    add("M")
    pickle += little16(size)
    add("tQM")
    pickle += little16(offset)
    add("M")
    pickle += little16(count)
    pickle += [0x85, UInt8(ascii: "K"), UInt8(step), 0x85, 0x89]
    add("NtRs.")
    return zip([
        Member(name: "a/data.pkl", data: pickle),
        Member(name: "a/data/0", data: Array(input.dropFirst(2)), method: 8, size: size),
    ])
}

private struct Member {
    var name: String
    /// As stored in the archive.
    var data: [UInt8]
    var method = 0
    /// What a deflated member is to become.
    var size: Int?
}

private func zip(_ members: [Member]) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    for member in members {
        let (name, data) = (member.name, member.data)
        // Version, flags, method, time, date, checksum, two sizes, sizes of the name and of the extra field.
        let numbers =
            [20, 0, member.method, 0, 33, 0, 0].flatMap(little16) + little32(data.count)
            + little32(member.size ?? data.count) + little16(name.utf8.count) + little16(0)
        directory += Array("PK\u{1}\u{2}".utf8) + little16(20) + numbers
        directory += [0, 0, 0, 0, 0].flatMap(little16) + little32(file.count) + Array(name.utf8)
        file += Array("PK\u{3}\u{4}".utf8) + numbers + Array(name.utf8) + data
    }
    let end = [0, 0, members.count, members.count].flatMap(little16)
    return file + directory + Array("PK\u{5}\u{6}".utf8) + end + little32(directory.count) + little32(file.count)
        + little16(0)
}

/// A safetensors file whose header has as many bytes as the first two say, so that the length is always a sound one.
private func safetensors(_ input: Input) -> [UInt8] {
    guard input.count >= 2 else { return Array(input) }
    let length = min(Int(input[0]) | Int(input[1]) << 8, input.count - 2)
    return little32(length) + little32(0) + Array(input[2...])
}

/// If the first byte is even, the rest are a tar archive, the checksums of whose headers are made right. Else it is one
/// with three members, of which the next two numbers of two bytes are the sizes of the first two.
private func tar(_ input: Input) -> [UInt8] {
    guard input.count >= 5 else { return Array(input) }
    if input[0] % 2 == 0 {
        var file = Array(input.dropFirst())
        for start in stride(from: 0, through: file.count - 512, by: 512) where isTarHeader(file[start..<start + 512]) {
            setChecksum(&file, start)
        }
        return file
    }
    let bytes = Array(input.dropFirst(5))
    let first = min(Int(input[1]) | Int(input[2]) << 8, bytes.count)
    let second = min(first + (Int(input[3]) | Int(input[4]) << 8), bytes.count)
    var file: [UInt8] = []
    let members = [("storages", bytes[..<first]), ("tensors", bytes[first..<second]), ("pickle", bytes[second...])]
    for (name, data) in members {
        var header = [UInt8](repeating: 0, count: 512)
        header.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        let size = String(data.count, radix: 8)
        header.replaceSubrange(124..<124 + size.utf8.count, with: size.utf8)
        header[156] = UInt8(ascii: "0")
        header.replaceSubrange(257..<265, with: Array("ustar\u{0}00".utf8))
        setChecksum(&header, 0)
        file += header + data + [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }
    return file + [UInt8](repeating: 0, count: 1024)
}

private func isTarHeader(_ block: ArraySlice<UInt8>) -> Bool {
    block[(block.startIndex + 257)...].starts(with: "ustar".utf8)
}

/// Six octal digits of the sum of a header's bytes, with spaces in place of them.
private func setChecksum(_ file: inout [UInt8], _ header: Int) {
    file.replaceSubrange(header + 148..<header + 156, with: Array(repeating: 0x20, count: 8))
    let digits = String(file[header..<header + 512].reduce(0) { $0 + Int($1) }, radix: 8)
    file.replaceSubrange(
        header + 148..<header + 155, with: Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8) + [0])
}

private func little16(_ number: Int) -> [UInt8] { (0..<2).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
private func little32(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
