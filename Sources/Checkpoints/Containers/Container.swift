// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The supported kinds of files.
package enum Container: Sendable {
    /// A zip archive as `torch.save` writes it since PyTorch 1.6.
    case zip
    /// Pickles and numbers one after another, as `torch.save` wrote them from PyTorch 0.1.10 to 1.5.
    case legacy
    /// A tar archive, as `torch.save` wrote it before PyTorch 0.1.10.
    case tar
    /// One pickle, as `pickle.dump` writes it, of NumPy arrays or tensors.
    case pickle
    case safetensors
    /// JSON that assigns the tensors of a checkpoint to its files.
    case index

    package var name: StaticString {
        switch self {
        case .zip: "zip"
        case .legacy: "legacy"
        case .tar: "tar"
        case .pickle: "pickle"
        case .safetensors: "safetensors"
        case .index: "index"
        }
    }

    /// Detects the kind of a file from its beginning; names are not reliable.
    ///
    /// - Throws: `badCheckpoint` that names the actual format, if it is easily detected.
    static func recognize(_ file: FileReference) throws(BackboneError) -> Container {
        guard file.size > 0 else { throw BackboneError.damagedFile("the file is empty") }
        let beginning = try file.read(at: 0, count: min(file.size, 512))
        let bytes = beginning.elements
        if bytes.hasPrefix("PK\u{3}\u{4}") { return .zip }
        if TarArchive.isTar(bytes) { return .tar }
        if isLegacyCheckpoint(bytes) { return .legacy }
        // Before pickles: the length of a header may look like the beginning of one.
        var reader = ByteReader(bytes)
        if let headerSize = reader.uint64(), reader.next == UInt8(ascii: "{"),
            headerSize <= UInt64(Limits.safetensorsHeaderBytes)
        {
            return .safetensors
        }
        if isPickle(bytes) { return .pickle }
        if isIndex(bytes) { return .index }
        throw try BackboneError(.badCheckpoint, foreignKind(of: file, bytes))
    }

    /// Whether a file begins as a pickle does: with the number of a protocol, or as protocols 0 and 1, which have none,
    /// write a dict, an object, or a list or tuple that begins with a dict.
    private static func isPickle(_ bytes: Bytes) -> Bool {
        if bytes.count >= 2 && bytes[0] == Opcode.proto.rawValue { return bytes[1] >= 2 && bytes[1] <= 5 }
        if bytes.hasPrefix("(lp") || bytes.hasPrefix("]q") || bytes.hasPrefix("((dp") || bytes.hasPrefix("(}q") {
            return true
        }
        return bytes.hasPrefix("(dp") || bytes.hasPrefix("}q") || isCall(bytes)
    }

    /// Whether bytes begin as a call does in protocols 0 and 1: a class or function in two lines, and its arguments, which
    /// memo of it may precede.
    private static func isCall(_ bytes: Bytes) -> Bool {
        guard bytes.count > 0, bytes[0] == UInt8(ascii: "c") else { return false }
        var position = 1
        for _ in 0..<2 {
            let start = position
            while position < bytes.count, isPartOfName(bytes[position]) { position += 1 }
            guard position > start, position < bytes.count, bytes[position] == UInt8(ascii: "\n") else { return false }
            position += 1
        }
        guard position < bytes.count, let opcode = Opcode(rawValue: bytes[position]) else { return false }
        return opcode == .mark || opcode == .emptyTuple || opcode == .put || opcode == .binPut
    }

    /// Whether a file may be an index: it begins like a JSON object.
    private static func isIndex(_ bytes: Bytes) -> Bool {
        var json = JSONReader(bytes)
        return json.take("{") && (json.next == UInt8(ascii: "\"") || json.next == UInt8(ascii: "}"))
    }

    private static func isPartOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

extension ByteFile {
    /// Opens a checkpoint: a stream that does not begin like one is not read to its end.
    ///
    /// - Throws: what opening throws, and `badCheckpoint` for such a stream.
    init(
        checkpoint path: UnsafePointer<CChar>, maxStreamBytes: Int = Limits.streamBytes,
        _ cancellation: Cancellation = .none
    ) throws(BackboneError) {
        try self.init(path: path, maxStreamBytes: maxStreamBytes, cancellation) { beginning throws(BackboneError) in
            _ = try Container.recognize(beginning)
        }
    }
}
