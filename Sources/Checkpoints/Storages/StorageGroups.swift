// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Destinations grouped by the storages of their tensors, so that each storage is read once.
struct StorageGroups: ~Copyable {
    /// Indices of destinations, contiguous for each group.
    private var order = UniqueArray<Int32>()
    private var ends = UniqueArray<Int32>()
    private var extents = UniqueArray<StorageExtent>()
    /// The number of groups with only contiguous tensors, which come first and can be copied while their storage is
    /// read.
    private(set) var streamed = 0
    /// Bytes read for these.
    private(set) var streamedSize = 0

    /// - Throws: `badCheckpoint` if too much would have to be unpacked; `outOfMemory`.
    init(
        of list: UnsafeBufferPointer<TensorDestination>, in catalog: borrowing TensorCatalog
    ) throws(BackboneError) {
        try order.reserve(list.count)
        try ends.reserve(list.count)
        let entries = catalog.entries.elements
        func storage(_ index: Int32) -> Int32 { entries[list[Int(index)].tensor].storage }
        let sorted = try sorted(count: list.count) { storage($0) < storage($1) }

        append(sorted.elements, list, catalog, areContiguous: true)
        streamed = count
        append(sorted.elements, list, catalog, areContiguous: false)
        try findExtents(list, catalog)
        for group in 0..<streamed { streamedSize = checkedSum(streamedSize, extents[group].read.count) ?? .max }
    }

    private mutating func findExtents(
        _ list: UnsafeBufferPointer<TensorDestination>, _ catalog: borrowing TensorCatalog
    ) throws(BackboneError) {
        try extents.reserve(count)
        var inflation = InflationTotal()
        for group in 0..<count {
            var needed: Range<Int>?
            for position in self[group] {
                let tensor = list[Int(position)].tensor
                let range = catalog.byteRange(tensor)
                guard !range.isEmpty else { continue }
                inflation.count(needed: catalog.elementCount(tensor), catalog.entries[tensor].dtype.size)
                let known = needed ?? range
                needed = min(known.lowerBound, range.lowerBound)..<max(known.upperBound, range.upperBound)
            }
            let storage = storage(of: group, list, catalog)
            let extent = StorageExtent(needed ?? 0..<0, of: storage)
            if case .deflated = storage.place { inflation.count(extent, of: storage, group: group) }
            extents.appendReserved(extent)
        }
        if let group = inflation.largestBeyondLimit {
            throw inflation.refusal(naming: catalog.name(list[Int(self[group][0])].tensor))
        }
        guard inflation.leavesRoomForEnds else { return }
        for group in 0..<count {
            let storage = storage(of: group, list, catalog)
            guard case .deflated = storage.place, extents[group].mayReachEnd(of: storage) else { continue }
            extents[group].reachEnd(of: storage)
        }
    }

    /// The storage of the tensors of a group.
    private func storage(
        of group: Int, _ list: UnsafeBufferPointer<TensorDestination>, _ catalog: borrowing TensorCatalog
    ) -> TensorCatalog.Storage {
        catalog.storages[Int(catalog.entries[list[Int(self[group][0])].tensor].storage)]
    }

    /// Appends the groups all of whose tensors are contiguous, or the others.
    private mutating func append(
        _ sorted: UnsafeBufferPointer<Int32>, _ list: UnsafeBufferPointer<TensorDestination>,
        _ catalog: borrowing TensorCatalog, areContiguous: Bool
    ) {
        var first = 0
        while first < sorted.count {
            let storage = catalog.entries[list[Int(sorted[first])].tensor].storage
            var end = first
            var isContiguous = true
            while end < sorted.count {
                let tensor = list[Int(sorted[end])].tensor
                guard catalog.entries[tensor].storage == storage else { break }
                if !catalog.isContiguous(tensor) { isContiguous = false }
                end += 1
            }
            if isContiguous == areContiguous {
                for position in first..<end { order.appendReserved(sorted[position]) }
                ends.appendReserved(Int32(end - first) + (ends.isEmpty ? 0 : ends[count - 1]))
            }
            first = end
        }
    }

    var count: Int { ends.count }

    /// The part of a group's storage that is read.
    func extent(_ group: Int) -> StorageExtent { extents[group] }

    /// Indices of the destinations in one storage.
    subscript(group: Int) -> UnsafeBufferPointer<Int32> {
        let start = group == 0 ? 0 : Int(ends[group - 1])
        return UnsafeBufferPointer(rebasing: order.elements[start..<Int(ends[group])])
    }
}
