// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// Shapes, strides and their sizes in bytes.
extension CatalogBuilder {
    /// Adds a tensor or array in a known storage.
    mutating func add(
        _ name: Bytes, _ tensor: Pickle.Tensor, _ dtype: DType, _ known: Known, view: Range<Int>?,
        _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) {
        var sizes = try integers(tensor.sizes, of: name, checkpoint)
        var strides: UniqueArray<Int64>
        switch tensor.order {
        case .strides(let tuple):
            strides = try integers(tuple, of: name, checkpoint)
            return try catalog.add(
                name: name, dtype: dtype, storage: known.storage, offset: tensor.offset, shape: sizes.elements,
                strides: strides.elements, view: view)
        case .rowMajor, .transposed:
            strides = try consecutive(sizes.elements, isColumnMajor: false)
        case .columnMajor:
            strides = try consecutive(sizes.elements, isColumnMajor: true)
        }
        // An array has exactly the bytes of its own.
        let size = byteCount(sizes.elements, dtype)
        let actual = catalog.storages[Int(known.storage)].size
        guard size == actual else {
            throw BackboneError(
                .badCheckpoint,
                "array '\(name)' has \(actual) bytes, expected those of \(shape: sizes.elements) \(dtype.name)")
        }
        if case .transposed(let tuple) = tensor.order {
            let axes = try integers(tuple, of: name, checkpoint)
            strides = try permute(strides.elements, by: axes.elements, of: name)
            sizes = try permute(sizes.elements, by: axes.elements, of: name)
        }
        try catalog.add(
            name: name, dtype: dtype, storage: known.storage, offset: 0, shape: sizes.elements,
            strides: strides.elements)
    }

    /// The size of an array's values in bytes.
    ///
    /// - Parameter limit: the number of written bytes.
    func byteCount(
        of tensor: Pickle.Tensor, _ dtype: DType, _ name: Bytes, _ checkpoint: borrowing PickledCheckpoint,
        notAbove limit: Int
    ) throws(BackboneError) -> Int {
        let sizes = try integers(tensor.sizes, of: name, checkpoint)
        let size = byteCount(sizes.elements, dtype) ?? -1
        if size >= 0 && size <= limit { return size }
        throw BackboneError(
            .badCheckpoint,
            "array '\(name)' is written in \(limit) bytes, which is not \(shape: sizes.elements) of \(dtype.name)")
    }

    private func byteCount(_ sizes: UnsafeBufferPointer<Int64>, _ dtype: DType) -> Int? {
        var size: Int? = dtype.size
        for axis in 0..<sizes.count { size = checkedProduct(size, Int(sizes[axis])) }
        return size
    }

    /// The strides of contiguous elements, the last axis first or the first. Strides of an absurd shape
    /// have no effect: it is refused.
    private func consecutive(
        _ sizes: UnsafeBufferPointer<Int64>, isColumnMajor: Bool
    ) throws(BackboneError) -> UniqueArray<Int64> {
        var strides = try UniqueArray<Int64>(repeating: 1, count: sizes.count)
        var stride: Int64 = 1
        for position in 0..<sizes.count {
            let axis = isColumnMajor ? position : sizes.count - 1 - position
            strides[axis] = stride
            stride &*= max(sizes[axis], 1)
        }
        return strides
    }

    /// The numbers at `axes`, which must be each axis once.
    private func permute(
        _ numbers: UnsafeBufferPointer<Int64>, by axes: UnsafeBufferPointer<Int64>, of name: Bytes
    ) throws(BackboneError) -> UniqueArray<Int64> {
        var permuted = UniqueArray<Int64>()
        var isUsed = try UniqueArray<Bool>(repeating: false, count: numbers.count)
        for position in 0..<axes.count {
            guard axes[position] >= 0, axes[position] < numbers.count, !isUsed[Int(axes[position])] else { break }
            isUsed[Int(axes[position])] = true
            try permuted.append(numbers[Int(axes[position])])
        }
        guard permuted.count == numbers.count, axes.count == numbers.count else {
            throw BackboneError(.badCheckpoint, "the axes of array '\(name)' are \(shape: axes), expected each once")
        }
        return permuted
    }

    private func integers(
        _ tuple: UInt32, of tensor: Bytes, _ checkpoint: borrowing PickledCheckpoint
    ) throws(BackboneError) -> UniqueArray<Int64> {
        var numbers = UniqueArray<Int64>()
        let value = checkpoint.pickle[tuple]
        guard value.second <= Limits.dimensions else {
            throw BackboneError(
                .badCheckpoint,
                "tensor '\(tensor)' has \(Int(value.second)) dimensions, more than \(Limits.dimensions)")
        }
        for position in 0..<Int(value.second) {
            guard let number = checkpoint.pickle.integer(checkpoint.pickle.items[Int(value.first) + position]) else {
                throw BackboneError(.badCheckpoint, "a size or stride of tensor '\(tensor)' is not a number")
            }
            try numbers.append(Int64(number))
        }
        return numbers
    }
}
