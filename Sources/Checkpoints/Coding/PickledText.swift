// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Decodes the bytes of a text in a file, from front to back.
struct PickledText: ~Copyable {
    private let file: FileReference
    private var decoder: PickledBytes
    private let piece: Buffer<UInt8>
    /// The place of what is not in `piece` yet, and how much that is.
    private var position: Int
    private var left: Int
    /// The part of the piece that is not decoded yet.
    private var next = 0
    private var end = 0

    /// - Parameter count: the number of bytes of the file, from `position` on, of the text.
    init(
        _ file: FileReference, _ form: TextForm, position: Int, count: Int
    ) throws(BackboneError) {
        piece = try Buffer<UInt8>(count: min(max(count, 1), Limits.chunkBytes))
        decoder = PickledBytes(form)
        self.file = file
        self.position = position
        left = count
    }

    /// Decodes the next `count` bytes.
    ///
    /// - Throws: `badCheckpoint` if the text has fewer, or characters other than bytes; `io`.
    mutating func read(_ count: Int, into memory: UnsafeMutableRawPointer) throws(BackboneError) {
        let out = memory.assumingMemoryBound(to: UInt8.self)
        var done = 0
        while done < count {
            if next == end { try readOn() }
            // Each becomes at most one byte.
            let part = min(end - next, count - done)
            guard let decoded = decoder.decode(piece.start + next, count: part, to: out + done) else {
                throw BackboneError(.badCheckpoint, "a character in it is not a byte")
            }
            next += part
            done += decoded
        }
    }

    /// Checks that nothing follows the bytes read.
    func finish() throws(BackboneError) {
        guard left == 0, next == end, decoder.isComplete else {
            throw BackboneError(.badCheckpoint, "it is written in more bytes than it has")
        }
    }

    private mutating func readOn() throws(BackboneError) {
        guard left > 0 else { throw BackboneError(.badCheckpoint, "it has fewer bytes than its shape says") }
        end = min(left, piece.count)
        try file.read(at: position, count: end, into: piece.start)
        position += end
        left -= end
        next = 0
    }
}
