// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The destination of a tensor: its elements, contiguous in the order of its shape.
package struct TensorDestination: BitwiseCopyable {
    enum Memory: BitwiseCopyable {
        case float32(UnsafeMutablePointer<Float>)
        case int64(UnsafeMutablePointer<Int64>)
    }

    let tensor: Int
    let memory: Memory
    /// Receives the faults of the values while they are copied; nil if not needed.
    let faults: UnsafeMutablePointer<ValueFaults>?

    package init(
        tensor: Int, float32 memory: UnsafeMutablePointer<Float>, faults: UnsafeMutablePointer<ValueFaults>? = nil
    ) {
        self.tensor = tensor
        self.memory = .float32(memory)
        self.faults = faults
    }

    package init(tensor: Int, int64 memory: UnsafeMutablePointer<Int64>) {
        self.tensor = tensor
        self.memory = .int64(memory)
        faults = nil
    }

    /// Converts `count` numbers to the elements from `position` on.
    ///
    /// - Parameter stride: of the numbers, in numbers.
    func write(_ dtype: DType, _ source: UnsafeRawPointer, stride: Int, count: Int, at position: Int) {
        switch memory {
        case .int64(let memory): convert(dtype, source, stride: stride, count: count, to: memory + position)
        case .float32(let memory):
            convert(dtype, source, stride: stride, count: count, to: memory + position)
            faults?.pointee.note(memory + position, count: count, dtype, source, stride: stride)
        }
    }
}
