// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Where a tensor is to be written: as many elements as it has, one after the other in the order of its shape.
package struct TensorDestination: BitwiseCopyable {
    enum Memory: BitwiseCopyable {
        case float32(UnsafeMutablePointer<Float>)
        case int64(UnsafeMutablePointer<Int64>)
    }

    let tensor: Int
    let memory: Memory

    package init(tensor: Int, float32 memory: UnsafeMutablePointer<Float>) {
        self.tensor = tensor
        self.memory = .float32(memory)
    }

    package init(tensor: Int, int64 memory: UnsafeMutablePointer<Int64>) {
        self.tensor = tensor
        self.memory = .int64(memory)
    }
}

extension StateDict {
    /// Reads the numbers of tensors that `match` found fit to be loaded.
    ///
    /// Every storage is read once and whole, however many tensors lie in it, and its checksum is taken piece by piece
    /// while the piece is in cache. The usual tensor, float32 that fills its storage, is read straight into its place.
    ///
    /// - Throws: `badCheckpoint` for a wrong checksum or a file that got shorter, `io`, `outOfMemory`. The destinations
    ///   are then undefined.
    package func read(_ destinations: borrowing UniqueArray<TensorDestination>) throws(BackboneError) {
        do throws(BackboneError) {
            try readAll(destinations)
        } catch {
            throw located(error)
        }
    }

    private func readAll(_ destinations: borrowing UniqueArray<TensorDestination>) throws(BackboneError) {
        let list = destinations.elements
        var order = UniqueArray<Int32>()
        try order.reserve(list.count)
        for index in 0..<list.count { try order.append(Int32(index)) }
        func storage(_ index: Int32) -> Int32 { catalog.entries[list[Int(index)].tensor].storage }
        sort(order.mutableElements) { storage($0) < storage($1) }

        let reader = try StorageReader()
        var first = 0
        while first < order.count {
            var end = first + 1
            while end < order.count && storage(order[end]) == storage(order[first]) { end += 1 }
            let group = UnsafeBufferPointer(rebasing: order.elements[first..<end])
            try read(storage: Int(storage(order[first])), group, list, reader)
            first = end
        }
    }

    /// Reads one storage and fills the destinations of the tensors in it.
    private func read(
        storage index: Int, _ group: UnsafeBufferPointer<Int32>, _ list: UnsafeBufferPointer<TensorDestination>,
        _ reader: borrowing StorageReader
    ) throws(BackboneError) {
        let storage = catalog.storages[index]
        let first = list[Int(group[0])]
        if group.count == 1, case .float32(let memory) = first.memory, fillsStorage(first.tensor) {
            try reader.read(storage, of: nameInFile(first.tensor), from: catalog, file.reference, into: memory)
            return
        }
        var areContiguous = true
        for position in group where !catalog.isContiguous(list[Int(position)].tensor) { areContiguous = false }
        if areContiguous {
            let name = nameInFile(first.tensor)
            try reader.read(storage, of: name, from: catalog, file.reference) { piece, start, count in
                for position in group { copy(piece, start: start, count: count, to: list[Int(position)]) }
            }
        } else {
            // Elements in any order need the whole storage, which is not larger than the file, or than what it can
            // become where it is deflated.
            let whole = try Buffer<UInt8>(count: storage.size)
            try reader.read(
                storage, of: nameInFile(first.tensor), from: catalog, file.reference, into: whole.start)
            for position in group { try gather(from: whole.start, to: list[Int(position)]) }
        }
    }

    /// Whether a tensor is all there is in its storage, in the very form in which it is wanted.
    private func fillsStorage(_ index: Int) -> Bool {
        let entry = catalog.entries[index]
        return entry.dtype == .float32 && entry.offset == 0 && catalog.isContiguous(index)
            && catalog.elementCount(index) * entry.dtype.size == catalog.storages[Int(entry.storage)].size
    }

    /// Copies what a piece of a storage, `count` bytes from byte `start` on, holds of a contiguous tensor.
    private func copy(_ piece: UnsafeRawPointer, start: Int, count: Int, to destination: TensorDestination) {
        let entry = catalog.entries[destination.tensor]
        let size = entry.dtype.size
        // In elements of the storage. Pieces begin and end between elements.
        let low = max(start / size, entry.offset)
        let high = min((start + count) / size, entry.offset + catalog.elementCount(destination.tensor))
        guard low < high else { return }
        let source = piece + (low * size - start)
        switch destination.memory {
        case .float32(let memory):
            convert(entry.dtype, source, stride: 1, count: high - low, to: memory + (low - entry.offset))
        case .int64(let memory):
            convert(entry.dtype, source, stride: 1, count: high - low, to: memory + (low - entry.offset))
        }
    }

    /// Copies a tensor of any strides out of its storage, row by row of its last dimension.
    private func gather(from storage: UnsafeRawPointer, to destination: TensorDestination) throws(BackboneError) {
        let entry = catalog.entries[destination.tensor]
        let shape = catalog.shape(destination.tensor)
        let strides = catalog.strides(destination.tensor)
        let count = catalog.elementCount(destination.tensor)
        guard count > 0 else { return }
        let last = shape.count - 1
        let rowLength = shape.isEmpty ? 1 : Int(shape[last])
        let rowStride = shape.isEmpty ? 1 : Int(strides[last])
        var position: [16 of Int] = .init(repeating: 0)  // Limits.dimensions
        // The catalog has checked that every element lies inside the storage.
        var offset = entry.offset
        var done = 0
        while done < count {
            let row = storage + offset * entry.dtype.size
            switch destination.memory {
            case .float32(let memory): convert(entry.dtype, row, stride: rowStride, count: rowLength, to: memory + done)
            case .int64(let memory): convert(entry.dtype, row, stride: rowStride, count: rowLength, to: memory + done)
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
