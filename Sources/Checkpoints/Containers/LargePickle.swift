// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ZipArchive {
    /// A stored pickle of an archive that is too large to be read whole: one that contains the arrays of a network, as
    /// written on TPUs. It is read through a window, after its checksum was verified.
    ///
    /// - Returns: nil for a pickle of usual size, or a deflated one.
    func largePickle(
        _ index: Int, _ file: FileReference, _ crc: borrowing CRC32
    ) throws(BackboneError) -> PickleReader? {
        let member = members[index]
        guard member.method == ZipArchive.storedMethod, member.size > Limits.pickleBytes else { return nil }
        if hasChecksums {
            let piece = try Buffer<UInt8>(count: Limits.chunkBytes)
            var checksum: UInt32 = 0
            var done = 0
            while done < member.size {
                let count = min(piece.count, member.size - done)
                try file.read(at: member.payload + done, count: count, into: piece.start)
                checksum = crc.update(checksum, piece.start, count: count)
                done += count
            }
            guard checksum == member.checksum else {
                throw BackboneError(.badCheckpoint, "its record '\(name(index))' is damaged: the checksum is wrong")
            }
        }
        return try PickleReader(file, member.payload..<member.payload + member.size)
    }
}
