// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A source that can only be read once and from front to back: a pipe, a socket, a character device.
struct Stream: ~Copyable {
    /// Milliseconds of a wait between checks for a cancel.
    private static var patience: Int32 { 20 }
    /// The capacity of a pipe.
    private static var pieceSize: Int { 64 << 10 }

    private let descriptor: Int32
    private let inherited: Int32
    private let piece: Buffer<UInt8>
    private var bytes = UniqueArray<UInt8>()

    /// - Parameter descriptor: must outlive this.
    init(_ descriptor: borrowing Descriptor) throws(BackboneError) {
        piece = try Buffer(count: Stream.pieceSize)
        self.descriptor = descriptor.number
        inherited = descriptor.inherited
    }

    /// Reads everything to the end. A named pipe waits for its first writer; only a cancel ends that.
    ///
    /// - Parameter check: receives the beginning of a stream longer than `Limits.foreignStreamBytes`, and throws if it
    ///   must not be read to its end.
    /// - Throws: `io`, also for more than `most` bytes; what `check` throws; `outOfMemory`, `cancelled`.
    consuming func readAll(
        most: Int, _ cancellation: Cancellation, check: (FileReference) throws(BackboneError) -> Void
    ) throws(BackboneError) -> UniqueArray<UInt8> {
        var isChecked = false
        while true {
            let count = try readPiece(cancellation)
            if count == 0 { break }
            guard count <= most - bytes.count else {
                throw BackboneError(
                    .io,
                    """
                    the stream has more than \(most) bytes, the limit of max_stream_bytes; raise the limit or load \
                    from a file
                    """)
            }
            try bytes.append(Bytes(start: piece.start, count: count))
            if !isChecked && bytes.count >= Limits.foreignStreamBytes {
                isChecked = true
                try check(FileReference(bytes.elements))
            }
        }
        return bytes
    }

    /// - Returns: the number of bytes in the piece; 0 at the end.
    private func readPiece(_ cancellation: Cancellation) throws(BackboneError) -> Int {
        while true {
            try cancellation.check()
            let count = shims_read_stream(descriptor, piece.start, piece.count)
            if count > 0 { return count }
            let error = count < 0 ? shims_errno() : 0
            switch error {
            case 0 where bytes.isEmpty && shims_awaits_writer(descriptor, inherited) != 0: break
            case 0: return 0
            case EINTR: continue
            case EAGAIN, EWOULDBLOCK: break
            default: throw BackboneError.system("cannot read it", error)
            }
            _ = shims_wait_for_stream(descriptor, Stream.patience)
        }
    }
}
