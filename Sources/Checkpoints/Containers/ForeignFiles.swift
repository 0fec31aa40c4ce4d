// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The probable format of an unsupported file, with advice.
func foreignKind(of file: FileReference, _ bytes: Bytes) throws(BackboneError) -> Message {
    func begins(_ prefix: [8 of UInt8], count: Int) -> Bool {
        guard bytes.count >= count else { return false }
        for index in 0..<count where bytes[index] != prefix[index] { return false }
        return true
    }
    if begins([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], count: 8) {
        return "HDF5 file; load a .pth of the same network"
    }
    if begins([0x1f, 0x8b, 0, 0, 0, 0, 0, 0], count: 2) { return "gzip file; unpack it first" }
    if begins([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0], count: 6) { return "xz file; unpack it first" }
    if begins([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0], count: 4) { return "zstd file; unpack it first" }
    if bytes.hasPrefix("BZh") { return "bzip2 file; unpack it first" }
    if begins([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 0, 0], count: 6) {
        return "NumPy array; save a dict of named arrays with pickle.dump or torch.save"
    }
    if bytes.hasPrefix("PK\u{5}\u{6}") { return "empty zip archive; download or save the checkpoint again" }
    if bytes.hasPrefix("version https://git-lfs") {
        return "Git LFS pointer; fetch the file itself with 'git lfs pull'"
    }
    if looksLikeHTML(bytes) { return "HTML page; the download failed, check the address" }
    if bytes.hasPrefix("GGUF") { return "GGUF file; load the .pth or safetensors file that it was made from" }
    if isONNX(bytes, size: file.size) { return "ONNX model; load the .pth that it was exported from" }
    if isSavedModel(bytes, size: file.size) { return "TensorFlow SavedModel; load a .pth of the same network" }
    if try isTensorFlowIndex(file) { return "TensorFlow checkpoint or its index; load a .pth of the same network" }
    return "unknown format, expected a file of torch.save, pickle.dump or safetensors"
}

private func looksLikeHTML(_ bytes: Bytes) -> Bool {
    var start = 0
    while start < bytes.count && (bytes[start] == 0x20 || (9...13).contains(bytes[start])) { start += 1 }
    func begins(_ tag: StaticString) -> Bool {
        let tag = Runtime.bytes(of: tag)
        guard bytes.count - start >= tag.count else { return false }
        // Both cases of a letter differ in one bit.
        for index in 0..<tag.count where bytes[start + index] | 0x20 != tag[index] | 0x20 { return false }
        return true
    }
    return begins("<!doctype html") || begins("<html")
}

/// Whether a file begins with fields of a `ModelProto` (onnx.proto) up to its graph: a version of the format, then only
/// fields of names and versions, each with the number and kind that it has there.
private func isONNX(_ bytes: Bytes, size: Int) -> Bool {
    var reader = ByteReader(bytes)
    guard reader.uint8() == 0x08, let version = reader.varint(), (1...100).contains(version) else { return false }
    while let tag = reader.varint() {
        switch tag {
        // producer_name, producer_version, domain, doc_string, opset_import, metadata_props
        case 0x12, 0x1a, 0x22, 0x32, 0x42, 0x72:
            guard let count = reader.varint() else { return false }
            // A text beyond the inspected bytes.
            guard count <= reader.remaining else { return tag == 0x32 && count <= size - reader.position }
            _ = reader.take(count)
        // model_version
        case 0x28: guard reader.varint() != nil else { return false }
        // graph
        case 0x3a: return reader.varint().map { $0 <= size - reader.position } ?? false
        default: return false
        }
    }
    return false
}

/// Whether a file is a `SavedModel` (saved_model.proto) of one graph: version 1, and the graph to the end of the file,
/// which begins with its description.
private func isSavedModel(_ bytes: Bytes, size: Int) -> Bool {
    var reader = ByteReader(bytes)
    guard reader.uint8() == 0x08, reader.uint8() == 0x01, reader.uint8() == 0x12, let count = reader.varint() else {
        return false
    }
    return count == size - reader.position && reader.next == 0x0a
}

/// Whether a file ends like TensorFlow's tables of tensors or of their positions.
private func isTensorFlowIndex(_ file: FileReference) throws(BackboneError) -> Bool {
    guard file.size >= 48 else { return false }
    let end = try file.read(at: file.size - 8, count: 8)
    var reader = ByteReader(end.elements)
    return reader.uint64() == 0xdb47_7524_8b80_fb57
}

extension ByteReader {
    /// A number of protocol buffers: seven bits a byte, the lowest first.
    fileprivate mutating func varint() -> Int? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = uint8() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return Int(exactly: value) }
        }
        return nil
    }
}
