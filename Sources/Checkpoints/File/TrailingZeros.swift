// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension FileReference {
    /// The length of the file without the zero bytes at its end, of which at most `Limits.trailingZeros` are left out:
    /// tapes, disks and transfers fill up files with blocks of zeros.
    ///
    /// - Parameter start: earlier bytes are not read.
    func sizeWithoutTrailingZeros(from start: Int = 0) throws(BackboneError) -> Int {
        let first = max(size - Limits.trailingZeros, start)
        // Most files end in something else.
        var count = min(size, 64)
        var end = size
        while end > first {
            let pieceStart = max(end - count, first)
            let kept = try countWithoutTrailingZeros(from: pieceStart, to: end)
            if kept > 0 { return pieceStart + kept }
            end = pieceStart
            count = Limits.chunkBytes
        }
        return end
    }

    /// The number of bytes of a piece of the file up to the last that is not zero.
    private func countWithoutTrailingZeros(from start: Int, to end: Int) throws(BackboneError) -> Int {
        let piece = try read(at: start, count: end - start)
        let bytes = piece.elements
        if bytes.areZeros { return 0 }
        var count = bytes.count
        while bytes[count - 1] == 0 { count -= 1 }
        return count
    }

    /// Whether all bytes from `start` on are zero, and not too many.
    func hasOnlyZeros(from start: Int) throws(BackboneError) -> Bool {
        try sizeWithoutTrailingZeros(from: start) == start
    }
}
