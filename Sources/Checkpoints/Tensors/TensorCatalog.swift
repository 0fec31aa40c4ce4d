// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The content of a state dict in a file of any kind: names, shapes, and the positions of the values.
///
/// Tables of plain numbers that refer to each other by index: a container's parser fills them; matching and reading do
/// not know containers. Every tensor in it has been checked to be inside its storage.
struct TensorCatalog: ~Copyable {
    /// One name of the state dict.
    struct Entry {
        var name: TextRange
        /// The kind of a value that is not a readable tensor; empty if one does.
        var obstacle: TextRange
        var dtype = DType.float32
        /// Index of the first size in `dimensions`; as many strides follow the sizes.
        var shape: Int32 = 0
        var rank: Int32 = 0
        var storage: Int32 = -1
        /// Offset of the first element in its storage, in elements.
        var offset = 0

        var isTensor: Bool { storage >= 0 }
    }

    /// A range of bytes with values.
    struct Storage {
        enum Place {
            /// The file has them unchanged.
            case file
            /// The file has them deflated, in so many bytes.
            case deflated(Int)
            /// The file has them in the text form of a pickle, in so many bytes.
            case written(TextForm, Int)
            /// They are in `memory`: the file has them in a form that only a parser knows.
            case memory
        }

        /// The number of the file that has it, of a checkpoint in several.
        var file: Int32 = 0
        var position: Int
        /// Size of the decoded bytes; at most the size that the file's bytes can expand to.
        var size: Int
        /// The CRC-32 of the bytes, nil if the file has none.
        var checksum: UInt32?
        var place = Place.file
        /// The size of numbers whose bytes are in the opposite order; 1 without such.
        var reversedSize = 1
    }

    private(set) var entries = UniqueArray<Entry>()
    private(set) var storages = UniqueArray<Storage>()
    private var dimensions = UniqueArray<Int64>()
    private var text = UniqueArray<UInt8>()
    /// The bytes of storages that are not in the file.
    var memory = UniqueArray<UInt8>()

    init() {}

    func name(_ index: Int) -> Bytes { text(entries[index].name) }

    /// The entries in the order of their names.
    func sortedByName() throws(BackboneError) -> UniqueArray<Int32> {
        let (entries, text) = (entries.elements, text.elements)
        return try sorted(count: entries.count) {
            compare(text.slice(entries[Int($0)].name), text.slice(entries[Int($1)].name)) < 0
        }
    }

    func obstacle(_ index: Int) -> Bytes { text(entries[index].obstacle) }

    private func text(_ range: TextRange) -> Bytes { text.elements.slice(range) }

    func shape(_ index: Int) -> UnsafeBufferPointer<Int64> { dimensions(index, after: 0) }

    func strides(_ index: Int) -> UnsafeBufferPointer<Int64> { dimensions(index, after: entries[index].rank) }

    private func dimensions(_ index: Int, after skipped: Int32) -> UnsafeBufferPointer<Int64> {
        let rank = Int(entries[index].rank)
        let start = Int(entries[index].shape) + Int(skipped)
        guard rank > 0, let all = dimensions.elements.baseAddress else {
            return UnsafeBufferPointer(start: nil, count: 0)
        }
        return UnsafeBufferPointer(start: all + start, count: rank)
    }

    /// The number of elements of a tensor, which was checked when it was added.
    func elementCount(_ index: Int) -> Int {
        var count = 1
        for size in shape(index) { count &*= Int(size) }
        return count
    }

    /// Whether the elements of a tensor are contiguous in their storage in row-major order.
    func isContiguous(_ index: Int) -> Bool {
        let shape = shape(index)
        let strides = strides(index)
        var expected: Int64 = 1
        for axis in stride(from: shape.count - 1, through: 0, by: -1) where shape[axis] != 1 {
            if strides[axis] != expected { return false }
            expected &*= shape[axis]
        }
        return true
    }
}

extension TensorCatalog {
    mutating func addStorage(_ storage: Storage) throws(BackboneError) -> Int32 {
        try storages.append(storage)
        return Int32(storages.count - 1)
    }

    /// Adds a name whose value is not a readable tensor; an error only if the network needs it.
    ///
    /// - Parameter obstacle: its kind; at most `Limits.obstacleBytes` of it are kept.
    mutating func addUnreadable(name: Bytes, obstacle: Bytes) throws(BackboneError) {
        let name = try add(name: name)
        let obstacle = try add(text: obstacle.slice(0, min(obstacle.count, Limits.obstacleBytes)))
        try entries.append(Entry(name: name, obstacle: obstacle))
    }

    /// The same for a message after "'name' is". The names of classes in it may be any bytes.
    mutating func addUnreadable(name: Bytes, what: Message) throws(BackboneError) {
        var text = UniqueArray<UInt8>()
        for index in 0..<what.count { try text.append(what[index] < 0x80 ? what[index] : UInt8(ascii: "?")) }
        try addUnreadable(name: name, obstacle: text.elements)
    }

    /// Adds a tensor.
    ///
    /// - Parameters:
    ///   - strides: in elements; nil for row-major order.
    ///   - view: the elements of the storage that it must be within and from whose first `offset` counts; nil for all.
    /// - Throws: `badCheckpoint` naming the tensor if any of its elements is outside of its storage or view.
    mutating func add(
        name: Bytes, dtype: DType, storage: Int32, offset: Int, shape: UnsafeBufferPointer<Int64>,
        strides: UnsafeBufferPointer<Int64>?, view: Range<Int>? = nil
    ) throws(BackboneError) {
        var entry = Entry(name: try add(name: name), obstacle: TextRange())
        guard shape.count <= Limits.dimensions else {
            throw BackboneError(
                .badCheckpoint, "tensor '\(name)' has \(shape.count) dimensions, more than \(Limits.dimensions)")
        }
        entry.dtype = dtype
        entry.shape = Int32(dimensions.count)
        entry.rank = Int32(shape.count)
        entry.storage = storage
        entry.offset = offset
        try dimensions.append(shape)
        if let strides {
            guard strides.count == shape.count else {
                throw BackboneError(
                    .badCheckpoint, "tensor '\(name)' has \(shape.count) sizes but \(strides.count) strides")
            }
            try dimensions.append(strides)
        } else {
            try addRowMajorStrides(of: shape)
        }
        try entries.append(entry)
        let stored = storages[Int(storage)].size / dtype.size
        try checkGeometry(of: entries.count - 1, stored: view?.count ?? stored)
        if let view {
            guard view.lowerBound >= 0, view.upperBound <= stored else {
                throw BackboneError(
                    .badCheckpoint,
                    """
                    tensor '\(name)' is in elements \(view.lowerBound) to \(view.upperBound) of a storage of \(stored) \
                    elements
                    """)
            }
            // Cannot overflow: the tensor is in the view, and the view in the storage; or it is empty.
            entries[entries.count - 1].offset = view.lowerBound &+ offset
        }
    }

    private mutating func addRowMajorStrides(of shape: UnsafeBufferPointer<Int64>) throws(BackboneError) {
        let start = dimensions.count
        try dimensions.append(shape)
        var stride: Int64 = 1
        for axis in Swift.stride(from: shape.count - 1, through: 0, by: -1) {
            dimensions[start + axis] = stride
            // Wraps only for shapes that checkGeometry refuses, whatever their strides.
            stride &*= shape[axis]
        }
    }

    /// Checks that a tensor has a sane number of elements, all of them inside its storage:
    /// offset + sum((size - 1) * stride) < elements of the storage.
    private func checkGeometry(of index: Int, stored: Int) throws(BackboneError) {
        let entry = entries[index]
        let shape = shape(index)
        let strides = strides(index)
        var count: Int? = 1
        var isEmpty = false
        var last: Int? = entry.offset
        guard entry.offset >= 0 else {
            throw BackboneError.damagedFile("tensor '\(name(index))' has a negative offset: \(entry.offset)")
        }
        for axis in 0..<shape.count {
            guard shape[axis] >= 0, strides[axis] >= 0 else {
                throw BackboneError.damagedFile(
                    """
                    tensor '\(name(index))' has a negative size or stride: shape \(shape: shape), strides \
                    \(shape: strides)
                    """
                )
            }
            if shape[axis] == 0 { isEmpty = true }
            count = checkedProduct(count, Int(max(shape[axis], 1)))
            if let reach = checkedProduct(Int(max(shape[axis], 1)) - 1, Int(strides[axis])), let sum = last {
                last = checkedSum(sum, reach)
            } else {
                last = nil
            }
        }
        guard let count, count <= Limits.elements else {
            throw BackboneError.damagedFile(
                "tensor '\(name(index))' has shape \(shape: shape), more elements than fit into memory")
        }
        if isEmpty { return }
        guard let last, last < stored else {
            throw BackboneError.damagedFile(
                """
                tensor '\(name(index))' leaves its storage of \(stored) elements: shape \(shape: shape), \
                strides \(shape: strides), offset \(entry.offset)
                """
            )
        }
    }

    private mutating func add(name: Bytes) throws(BackboneError) -> TextRange {
        guard entries.count < Limits.tensors else {
            throw BackboneError(
                .badCheckpoint, "it has more than \(Limits.tensors) tensors; save those of the network alone")
        }
        guard name.count <= Limits.nameBytes else {
            throw BackboneError(
                .badCheckpoint, "a name of \(name.count) bytes is too long; use at most \(Limits.nameBytes)")
        }
        guard name.isText else {
            throw BackboneError.damagedFile("the name '\(name)' is not UTF-8 text")
        }
        return try add(text: name)
    }

    // At most Limits.tensors texts of Limits.nameBytes and of Limits.obstacleBytes: the offsets fit.
    private mutating func add(text added: Bytes) throws(BackboneError) -> TextRange {
        let start = text.count
        try text.append(added)
        return TextRange(start: UInt32(start), count: UInt32(added.count))
    }
}
