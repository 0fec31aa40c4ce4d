// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The kinds of files that are read.
package enum Container: Sendable {
    /// A zip archive as `torch.save` writes it since PyTorch 1.6.
    case zip
    case safetensors

    package var name: StaticString {
        switch self {
        case .zip: "zip"
        case .safetensors: "safetensors"
        }
    }

    /// Tells the kind of a file from how it begins; names are not to be trusted.
    ///
    /// - Throws: `badCheckpoint` that names what the file is instead, where that is easily told.
    static func recognize(_ file: borrowing ByteFile) throws(BackboneError) -> Container {
        guard file.size > 0 else { throw BackboneError(.badCheckpoint, "the file is empty") }
        let beginning = try file.read(at: 0, count: min(file.size, 512))
        let bytes = beginning.elements
        if bytes.hasPrefix("PK\u{3}\u{4}") { return .zip }
        var reader = ByteReader(bytes)
        if let headerSize = reader.uint64(), reader.next == UInt8(ascii: "{"),
            headerSize <= UInt64(Limits.safetensorsHeaderBytes)
        {
            return .safetensors
        }
        throw BackboneError(.badCheckpoint, foreign(bytes))
    }

    /// What a file that is not read here seems to be.
    private static func foreign(_ bytes: Bytes) -> Message {
        func begins(_ prefix: [8 of UInt8], count: Int) -> Bool {
            guard bytes.count >= count else { return false }
            for index in 0..<count where bytes[index] != prefix[index] { return false }
            return true
        }
        if begins([0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46], count: 8) {
            return "it is a checkpoint as PyTorch wrote it before 1.6; load it there and save it again"
        }
        if bytes.count >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 {
            return "it is a bare pickle, not a checkpoint that torch.save wrote"
        }
        if begins([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], count: 8) { return "it is an HDF5 file (Keras?)" }
        if begins([0x1f, 0x8b, 0, 0, 0, 0, 0, 0], count: 2) { return "it is compressed by gzip; unpack it first" }
        if begins([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0], count: 6) {
            return "it is compressed by xz; unpack it first"
        }
        if bytes.hasPrefix("BZh") { return "it is compressed by bzip2; unpack it first" }
        if begins([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 0, 0], count: 6) { return "it is a NumPy array" }
        if bytes.hasPrefix("PK\u{5}\u{6}") { return "it is an empty zip archive" }
        if bytes.hasPrefix("version https://git-lfs") {
            return "it is a Git LFS pointer; fetch the file itself with 'git lfs pull'"
        }
        if bytes.count >= 262 && bytes.slice(257, 5).hasPrefix("ustar") {
            return "it is a tar archive (a checkpoint from before PyTorch 0.1.10?)"
        }
        if looksLikeHTML(bytes) { return "it is an HTML page; the download went wrong" }
        return "it is neither a checkpoint that torch.save wrote nor a safetensors file"
    }

    private static func looksLikeHTML(_ bytes: Bytes) -> Bool {
        var start = 0
        while start < bytes.count && (bytes[start] == 0x20 || (9...13).contains(bytes[start])) { start += 1 }
        func begins(_ tag: StaticString) -> Bool {
            let tag = Checkpoints.bytes(of: tag)
            guard bytes.count - start >= tag.count else { return false }
            // Both cases of a letter differ in one bit.
            for index in 0..<tag.count where bytes[start + index] | 0x20 != tag[index] | 0x20 { return false }
            return true
        }
        return begins("<!doctype html") || begins("<html")
    }
}
