// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Whether all bytes are zero: the first is, and each equals the next.
private func isZero(_ bytes: Bytes) -> Bool {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return true }
    return start[0] == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
}

extension FileReference {
    /// The length of the file without the zero bytes at its end, of which no more than `Limits.trailingZeros` are left
    /// out: whole blocks of zeros are what tapes, disks and transfers fill up a file with.
    ///
    /// - Parameter start: nothing before it is looked at.
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

    /// How many bytes of a piece of the file there are up to the last that is not zero.
    private func countWithoutTrailingZeros(from start: Int, to end: Int) throws(BackboneError) -> Int {
        let piece = try read(at: start, count: end - start)
        let bytes = piece.elements
        if isZero(bytes) { return 0 }
        var count = bytes.count
        while bytes[count - 1] == 0 { count -= 1 }
        return count
    }

    /// Whether all bytes from `start` on are zero, and not too many.
    func hasOnlyZeros(from start: Int) throws(BackboneError) -> Bool {
        try sizeWithoutTrailingZeros(from: start) == start
    }
}
