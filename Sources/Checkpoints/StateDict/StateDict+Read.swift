// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension StateDict {
    /// Reads the values of tensors that `match` accepted.
    ///
    /// Every storage is read once, however many tensors are in it, and its checksum is taken piece by piece while the
    /// piece is in cache. The usual tensor, float32 that fills its storage, is read directly into its destination.
    ///
    /// - Parameters:
    ///   - pool: its threads share the storages.
    ///   - leastShared: bytes that are worth waking threads for, which costs as much time as reading about 100
    ///     kilobytes.
    /// - Throws: `badCheckpoint` for a wrong checksum, a shortened file or too many bytes to unpack, `io`,
    ///   `outOfMemory`. The destinations are then undefined.
    package func read(
        _ destinations: borrowing UniqueArray<TensorDestination>, _ pool: borrowing ThreadPool,
        leastShared: Int = 1 << 20
    ) throws(BackboneError) {
        do throws(BackboneError) {
            try readAll(destinations.elements, pool, leastShared)
        } catch {
            throw located(error)
        }
    }

    /// The same on the calling thread alone.
    package func read(_ destinations: borrowing UniqueArray<TensorDestination>) throws(BackboneError) {
        try read(destinations, ThreadPool(threads: 1))
    }

    private func readAll(
        _ list: UnsafeBufferPointer<TensorDestination>, _ pool: borrowing ThreadPool, _ leastShared: Int
    ) throws(BackboneError) {
        let groups = try StorageGroups(of: list, in: catalog)
        let isShared = groups.streamedSize >= leastShared && pool.threadCount > 1
        let reader = try StorageReader(workers: isShared ? pool.threadCount : 1)
        if isShared {
            try read(groups, list, reader, pool)
        } else {
            for index in 0..<groups.streamed {
                try stream(groups[index], groups.extent(index), list, reader, worker: 0)
            }
        }
        // One at a time: each needs memory for a part of the storage.
        for index in groups.streamed..<groups.count {
            try gather(groups[index], groups.extent(index), list, reader)
        }
    }

    /// Streams storages on all threads.
    private func read(
        _ groups: borrowing StorageGroups, _ list: UnsafeBufferPointer<TensorDestination>,
        _ reader: borrowing StorageReader, _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        let failures = try Buffer<StreamingJob.Failure>(count: pool.threadCount)
        for worker in 0..<pool.threadCount { failures.start[worker] = StreamingJob.Failure() }
        withUnsafePointer(to: self) { dict in
            withUnsafePointer(to: reader) { reader in
                withUnsafePointer(to: groups) { groups in
                    var job = StreamingJob(
                        dict: dict, reader: reader, groups: groups, list: list, failures: failures.start)
                    pool.run(count: groups.pointee.streamed, inOrder: true, context: &job) { context, group, worker in
                        context.assumingMemoryBound(to: StreamingJob.self).pointee.run(group, worker)
                    }
                }
            }
        }
        // The error that one thread alone would have met first.
        var first = StreamingJob.Failure()
        for worker in 0..<pool.threadCount where failures.start[worker].group < first.group {
            first = failures.start[worker]
        }
        if let error = first.error { throw error }
    }

    /// Fills the destinations of contiguous tensors of one storage while it is read.
    fileprivate func stream(
        _ group: UnsafeBufferPointer<Int32>, _ extent: StorageExtent,
        _ list: UnsafeBufferPointer<TensorDestination>, _ reader: borrowing StorageReader, worker: Int
    ) throws(BackboneError) {
        let first = list[Int(group[0])]
        let storage = catalog.storages[Int(catalog.entries[first.tensor].storage)]
        let name = nameInFile(first.tensor)
        if group.count == 1, case .float32(let memory) = first.memory, fillsStorage(first.tensor) {
            let faults = first.faults
            try reader.read(storage, of: name, from: catalog, file(of: storage), into: memory) { piece, _, size in
                let values = piece.assumingMemoryBound(to: Float.self)
                faults?.pointee.note(values, count: size / MemoryLayout<Float>.size, .float32, piece, stride: 1)
            }
            return
        }
        try reader.read(storage, extent.read, of: name, from: catalog, file(of: storage), worker: worker) {
            piece, start, count in
            for position in group { copy(piece, start: start, count: count, to: list[Int(position)]) }
        }
    }

    /// Fills the destinations of tensors of any strides in one storage.
    private func gather(
        _ group: UnsafeBufferPointer<Int32>, _ extent: StorageExtent,
        _ list: UnsafeBufferPointer<TensorDestination>, _ reader: borrowing StorageReader
    ) throws(BackboneError) {
        guard !extent.needed.isEmpty else { return }
        let first = list[Int(group[0])]
        let storage = catalog.storages[Int(catalog.entries[first.tensor].storage)]
        // Elements in any order need all the bytes between the first and the last. Where those are more than
        // `Limits.gatheredBytes`, they are read in parts, and each part gives the elements in it.
        let (firstPiece, lastPiece) = (
            extent.needed.lowerBound / Limits.chunkBytes, (extent.needed.upperBound - 1) / Limits.chunkBytes
        )
        let window = try Buffer<UInt8>(
            count: min((lastPiece - firstPiece + 1) * Limits.chunkBytes, Limits.gatheredBytes))
        try reader.read(
            storage, extent, of: nameInFile(first.tensor), from: catalog, file(of: storage), window: window
        ) { part, start, count in
            for position in group { gather(from: part, start: start, count: count, to: list[Int(position)]) }
        }
    }

    /// Whether a tensor fills its storage in exactly the requested form.
    private func fillsStorage(_ index: Int) -> Bool {
        let entry = catalog.entries[index]
        return entry.dtype == .float32 && entry.offset == 0 && catalog.isContiguous(index)
            && catalog.elementCount(index) * entry.dtype.size == catalog.storages[Int(entry.storage)].size
    }

    /// Copies what a piece of a storage, `count` bytes from byte `start` on, holds of a contiguous tensor.
    private func copy(_ piece: UnsafeRawPointer, start: Int, count: Int, to destination: TensorDestination) {
        let entry = catalog.entries[destination.tensor]
        let size = entry.dtype.size
        // The unit is an element of the storage. Pieces begin and end between elements.
        let low = max(start / size, entry.offset)
        let high = min((start + count) / size, entry.offset + catalog.elementCount(destination.tensor))
        guard low < high else { return }
        destination.write(
            entry.dtype, piece + (low * size - start), stride: 1, count: high - low, at: low - entry.offset)
    }

    /// Copies what a part of a storage, `count` bytes from byte `start` on, holds of a tensor of any strides, row by row
    /// of its last dimension.
    private func gather(from part: UnsafeRawPointer, start: Int, count bytes: Int, to destination: TensorDestination) {
        let entry = catalog.entries[destination.tensor]
        let size = entry.dtype.size
        let range = catalog.byteRange(destination.tensor)
        guard range.lowerBound < start + bytes && range.upperBound > start else { return }
        // The unit is an element of the storage. Parts begin and end between elements.
        let low = start / size
        let high = (start + bytes) / size
        let shape = catalog.shape(destination.tensor)
        let strides = catalog.strides(destination.tensor)
        let count = catalog.elementCount(destination.tensor)
        let last = shape.count - 1
        let rowLength = shape.isEmpty ? 1 : Int(shape[last])
        // The stride of a dimension of size 1 may be anything.
        let rowStride = rowLength == 1 ? 1 : Int(strides[last])
        let rowReach = (rowLength - 1) * rowStride
        var position: [16 of Int] = .init(repeating: 0)  // Limits.dimensions
        // The catalog has checked that every element is inside the storage.
        var offset = entry.offset
        var done = 0
        while done < count {
            var first = 0
            var end = rowLength
            if offset < low || offset + rowReach >= high {
                first = steps(from: offset, to: low, by: rowStride, most: rowLength)
                end = steps(from: offset, to: high, by: rowStride, most: rowLength)
            }
            if first < end {
                let source = part + ((offset + first * rowStride) * size - start)
                destination.write(entry.dtype, source, stride: rowStride, count: end - first, at: done + first)
            }
            done += rowLength
            var axis = last - 1
            while axis >= 0 {
                position[axis] += 1
                // Wraps only on the way back to the first row: strides of dimensions of size 1 may be anything.
                offset &+= Int(strides[axis])
                if position[axis] < Int(shape[axis]) { break }
                offset &-= Int(shape[axis]) &* Int(strides[axis])
                position[axis] = 0
                axis -= 1
            }
        }
    }
}

/// The number of elements of a row, `stride` apart from `offset` on, that are before element `limit`.
private func steps(from offset: Int, to limit: Int, by stride: Int, most: Int) -> Int {
    guard offset < limit else { return 0 }
    guard stride > 0 else { return most }
    return min((limit - offset + stride - 1) / stride, most)
}

/// The state shared by the threads that read storages together.
private struct StreamingJob {
    struct Failure: BitwiseCopyable {
        var group = Int.max
        var error: BackboneError?
    }

    let dict: UnsafePointer<StateDict>
    let reader: UnsafePointer<StorageReader>
    let groups: UnsafePointer<StorageGroups>
    let list: UnsafeBufferPointer<TensorDestination>
    /// The first error of each worker, which then stops: its later groups follow that one.
    let failures: UnsafeMutablePointer<Failure>

    func run(_ group: Int, _ worker: Int) {
        if failures[worker].error != nil { return }
        do throws(BackboneError) {
            try dict.pointee.stream(
                groups.pointee[group], groups.pointee.extent(group), list, reader.pointee, worker: worker)
        } catch {
            failures[worker] = Failure(group: group, error: error)
        }
    }
}
