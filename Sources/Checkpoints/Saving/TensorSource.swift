// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A tensor to write: its name, and its contiguous values in the order of its shape.
package struct TensorSource: BitwiseCopyable {
    let name: Bytes
    let shape: UnsafeBufferPointer<Int64>
    let dtype: DType
    let memory: UnsafeRawPointer

    /// - Parameter memory: with `name` and `shape` borrowed until the file is written.
    package init(name: Bytes, shape: UnsafeBufferPointer<Int64>, float32 memory: UnsafePointer<Float>) {
        self.name = name
        self.shape = shape
        dtype = .float32
        self.memory = UnsafeRawPointer(memory)
    }

    /// - Parameter memory: with `name` and `shape` borrowed until the file is written.
    package init(name: Bytes, shape: UnsafeBufferPointer<Int64>, int64 memory: UnsafePointer<Int64>) {
        self.name = name
        self.shape = shape
        dtype = .int64
        self.memory = UnsafeRawPointer(memory)
    }

    /// The number of values; nil if that, or their size in bytes, overflows Int.
    var elementCount: Int? {
        var count: Int? = 1
        for axis in 0..<shape.count { count = checkedProduct(count, Int(shape[axis])) }
        return checkedProduct(count, dtype.size) == nil ? nil : count
    }

    /// Size of the numbers in bytes.
    var size: Int? { checkedProduct(elementCount, dtype.size) }
}

extension ReplacementFile {
    /// Writes the numbers of a tensor whose size has been checked.
    func write(_ tensor: TensorSource) throws(BackboneError) {
        try write(tensor.memory, count: tensor.size ?? 0)
    }
}
