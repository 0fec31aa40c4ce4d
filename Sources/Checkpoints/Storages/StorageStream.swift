// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The bytes of a storage from front to back, in any stored form.
struct StorageStream: ~Copyable {
    private let file: FileReference
    private let memory: UnsafePointer<UInt8>?
    private var position: Int
    private var inflater: Inflater?
    private var text: PickledText?

    /// - Parameters:
    ///   - start: the number of bytes to leave out; 0 unless the file or memory has them unchanged.
    ///   - memory: the catalog's, which must outlive this.
    init(
        _ storage: TensorCatalog.Storage, from start: Int = 0, in file: FileReference, memory: Bytes
    ) throws(BackboneError) {
        self.file = file
        position = storage.position + start
        switch storage.place {
        case .file:
            self.memory = nil
            inflater = nil
            text = nil
        case .memory:
            self.memory = memory.baseAddress
            inflater = nil
            text = nil
        case .deflated(let packedSize):
            self.memory = nil
            inflater = try Inflater(file, position: storage.position, packedSize: packedSize)
            text = nil
        case .written(let form, let count):
            self.memory = nil
            inflater = nil
            text = try PickledText(file, form, position: storage.position, count: count)
        }
    }

    /// Reads the next `count` bytes, which the storage must have.
    mutating func read(_ count: Int, into out: UnsafeMutableRawPointer) throws(BackboneError) {
        if inflater != nil {
            try inflater?.read(count, into: out)
        } else if text != nil {
            try text?.read(count, into: out)
        } else if let memory {
            memcpy(out, memory + position, count)
        } else {
            try file.read(at: position, count: count, into: out)
        }
        position += count
    }

    /// Checks that nothing follows the bytes read.
    mutating func finish() throws(BackboneError) {
        if inflater != nil { try inflater?.finish() }
        if text != nil { try text?.finish() }
    }
}
