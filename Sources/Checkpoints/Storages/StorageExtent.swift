// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The bytes of a storage that the tensors of a load need, and the bytes read for them.
struct StorageExtent {
    /// The bytes from the first that a tensor needs to the last.
    private(set) var needed: Range<Int>
    /// Always holds `needed`. The whole storage if its checksum can then be checked at a bounded cost.
    private(set) var read: Range<Int>

    /// - Parameter needed: within the storage.
    init(_ needed: Range<Int>, of storage: TensorCatalog.Storage) {
        self.needed = needed
        switch storage.place {
        case .deflated:
            // Only from front to back, and no further than needed: the rest may be a thousand times the file.
            read = 0..<StorageExtent.wholeWords(needed.upperBound, in: storage)
        case .written:
            // Bounded by the file; the text is checked to its end.
            read = 0..<storage.size
        case .file, .memory:
            guard storage.checksum == nil else {
                read = 0..<storage.size
                return
            }
            // Pieces begin at the same places as if all were read, so none begins inside a number.
            let start = needed.lowerBound / Limits.chunkBytes * Limits.chunkBytes
            read = start..<StorageExtent.wholeWords(needed.upperBound, in: storage)
        }
    }

    /// Numbers of up to eight bytes are reversed as a whole.
    private static func wholeWords(_ end: Int, in storage: TensorCatalog.Storage) -> Int {
        min(checkedSum(end, 7).map { $0 & ~7 } ?? .max, storage.size)
    }

    /// Whether reading to the end, for the checksum, at most doubles the unpacked bytes.
    func mayReachEnd(of storage: TensorCatalog.Storage) -> Bool {
        storage.size - read.upperBound <= needed.upperBound
    }

    mutating func reachEnd(of storage: TensorCatalog.Storage) { read = read.lowerBound..<storage.size }
}

extension TensorCatalog {
    /// The positions of a tensor's elements in its storage, in bytes; empty for a tensor without elements.
    func byteRange(_ index: Int) -> Range<Int> {
        let entry = entries[index]
        let shape = shape(index)
        let strides = strides(index)
        var last = entry.offset
        for axis in 0..<shape.count {
            if shape[axis] == 0 { return 0..<0 }
            // Checked when the tensor was added; strides of dimensions of size 1 are arbitrary.
            if shape[axis] > 1 { last &+= (Int(shape[axis]) &- 1) &* Int(strides[axis]) }
        }
        return entry.offset * entry.dtype.size..<(last + 1) * entry.dtype.size
    }
}
