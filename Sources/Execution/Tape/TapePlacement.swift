// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Gives each tensor of a tape a place in one block of memory, so that tensors which are needed at the same time do not overlap
/// and the block stays small: first fit, in the order in which they are needed.
struct TapePlacement: ~Copyable {
    /// The tensors in the order in which they are needed first.
    private var order: UniqueArray<Int>

    init(_ tensors: borrowing UniqueArray<TapeTensor>) throws(BackboneError) {
        order = try UniqueArray(repeating: 0, count: tensors.count)
        // Most come in that order already.
        for index in 0..<tensors.count {
            var position = index
            while position > 0 && tensors[order[position - 1]].first > tensors[index].first {
                order[position] = order[position - 1]
                position -= 1
            }
            order[position] = index
        }
    }

    /// Sets the offsets and returns the size of the block in floats.
    func place(_ tensors: inout UniqueArray<TapeTensor>) throws(BackboneError) -> Int {
        var size = 0
        for position in 0..<order.count {
            let index = order[position]
            guard tensors[index].isUsed else { continue }
            let offset = lowestFreeOffset(position, tensors)
            guard let offset, let end = checkedSum(offset, tensors[index].floatCount) else {
                throw BackboneError(
                    .invalidArgument, "input is too large for the address space; use fewer or smaller images")
            }
            tensors[index].offset = offset
            size = max(size, end)
        }
        return size
    }

    /// The lowest place where a tensor overlaps none of those before it that are needed with it.
    private func lowestFreeOffset(_ position: Int, _ tensors: borrowing UniqueArray<TapeTensor>) -> Int? {
        let tensor = tensors[order[position]]
        var offset = 0
        var moved = true
        // Each round moves past at least one more tensor, so it needs at most as many rounds as tensors.
        while moved {
            moved = false
            for other in 0..<position {
                let placed = tensors[order[other]]
                guard placed.isUsed, placed.meets(tensor) else { continue }
                guard let end = checkedSum(offset, tensor.floatCount) else { return nil }
                if offset < placed.offset + placed.floatCount && placed.offset < end {
                    offset = placed.offset + placed.floatCount
                    moved = true
                }
            }
        }
        return offset
    }
}
