// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// What is fuzzed: how a file is made of the fuzzer's bytes, and what is then done with it.
///
/// A new container needs a line here, and one in seeds.py where its files are to be made of parts.
struct Target: Sendable {
    let name: String
    let file: @Sendable (Input) -> [UInt8]
    let use: @Sendable (UnsafePointer<CChar>) -> Void

    static let all = [
        // The bytes are a file, and all tensors in it are read.
        Target(name: "zip", file: { Array($0) }, use: readEverything),
        Target(name: "pickle", file: { pickleInZip($0) }, use: readEverything),
        Target(name: "safetensors", file: { safetensors($0) }, use: readEverything),
        // The bytes are a file, and a network loads it through the C interface.
        Target(name: "load", file: { Array($0) }, use: loadIntoNetwork),
    ]
}

typealias Input = UnsafeBufferPointer<UInt8>

/// A zip archive with a pickle and two storages, of as many bytes as the first byte says and of 8. All checksums are 0,
/// which stands for none: the fuzzer need not find any.
private func pickleInZip(_ input: Input) -> [UInt8] {
    var file: [UInt8] = []
    var directory: [UInt8] = []
    let members: [(name: String, data: [UInt8])] = [
        ("a/data.pkl", Array(input.dropFirst())), ("a/data/0", (0..<(input.first ?? 0)).map { $0 }),
        ("a/data/1", Array(repeating: 0, count: 8)),
    ]
    for (name, data) in members {
        // Version, flags, method, time, date, checksum, two sizes, sizes of the name and of the extra field.
        let numbers =
            [20, 0, 0, 0, 33, 0, 0].flatMap(little16) + little32(data.count) + little32(data.count)
            + little16(name.utf8.count) + little16(0)
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

private func little16(_ number: Int) -> [UInt8] { (0..<2).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
private func little32(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
