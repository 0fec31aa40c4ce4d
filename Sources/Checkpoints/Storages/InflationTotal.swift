// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The bytes that a load would have to unpack, and their limit: a deflated byte can expand to a thousand, so a small
/// file could otherwise cost any time and memory.
struct InflationTotal {
    private var needed = 0
    private var unpacked = 0
    private var unpackedWithEnds = 0
    private var largest: (group: Int, size: Int) = (0, 0)

    /// Counts the elements of a wanted tensor.
    mutating func count(needed elements: Int, _ size: Int) {
        needed = checkedSum(needed, checkedProduct(elements, size)) ?? .max
    }

    /// Counts the unpacked bytes of a deflated storage.
    mutating func count(_ extent: StorageExtent, of storage: TensorCatalog.Storage, group: Int) {
        let size = extent.read.upperBound
        unpacked = checkedSum(unpacked, size) ?? .max
        let end = extent.mayReachEnd(of: storage) ? storage.size : size
        unpackedWithEnds = checkedSum(unpackedWithEnds, end) ?? .max
        if size > largest.size { largest = (group, size) }
    }

    private var limit: Int {
        checkedSum(Limits.inflatedBytes, checkedProduct(needed, Limits.inflatedBytesForEachNeeded)) ?? .max
    }

    /// The group with the most bytes to unpack, if all together exceed the limit.
    var largestBeyondLimit: Int? { unpacked > limit ? largest.group : nil }

    /// Whether storages may also be unpacked to their ends, to check their checksums.
    var leavesRoomForEnds: Bool { unpackedWithEnds <= limit }

    func refusal(naming name: Bytes) -> BackboneError {
        BackboneError(
            .badCheckpoint,
            """
            its compressed records would unpack to \(unpacked) bytes for tensors of \(needed) bytes, \(largest.size) of \
            them for '\(name)': more than \(limit), the limit; if you trust the file, save it uncompressed with torch.save
            """)
    }
}
