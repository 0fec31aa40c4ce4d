// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Pickle {
    /// Appends the bytes of a text.
    ///
    /// - Parameter file: the file of the pickle, unless it was in memory.
    /// - Returns: false if it is not a text of bytes.
    func appendBytes(
        of text: Text, in file: FileReference, to bytes: inout UniqueArray<UInt8>
    ) throws(BackboneError) -> Bool {
        var decoder = PickledBytes(text.form)
        let piece = try Buffer<UInt8>(count: min(text.count, Limits.chunkBytes))
        var start = 0
        while start < text.count {
            let count = min(Limits.chunkBytes, text.count - start)
            var part = UnsafePointer(piece.start)
            if let memory = memory.elements.baseAddress {
                part = memory + text.position + start
            } else {
                try file.read(at: text.position + start, count: count, into: piece.start)
            }
            for index in 0..<count {
                guard let byte = decoder.take(part[index]) else { continue }
                guard byte <= 0xff else { return false }
                try bytes.append(UInt8(truncatingIfNeeded: byte))
            }
            start += count
        }
        return decoder.isComplete
    }
}
