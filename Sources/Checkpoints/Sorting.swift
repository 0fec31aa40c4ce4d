// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sorts indices in place by an order of what they stand for.
///
/// Heap sort: no memory, no recursion, and n log n comparisons whatever the input, as names and offsets of a hostile
/// file may come in the worst order for other algorithms, or all in one slot of a hash table.
func sort(_ indices: UnsafeMutableBufferPointer<Int32>, by precedes: (Int32, Int32) -> Bool) {
    let count = indices.count
    var root = count / 2
    while root > 0 {
        root -= 1
        siftDown(indices, from: root, count: count, by: precedes)
    }
    var end = count
    while end > 1 {
        end -= 1
        indices.swapAt(0, end)
        siftDown(indices, from: 0, count: end, by: precedes)
    }
}

/// Lets the element at `start` sink to where no child of the first `count` comes after it.
private func siftDown(
    _ indices: UnsafeMutableBufferPointer<Int32>, from start: Int, count: Int, by precedes: (Int32, Int32) -> Bool
) {
    var root = start
    while 2 * root + 1 < count {
        var child = 2 * root + 1
        if child + 1 < count && precedes(indices[child], indices[child + 1]) { child += 1 }
        guard precedes(indices[root], indices[child]) else { return }
        indices.swapAt(root, child)
        root = child
    }
}
