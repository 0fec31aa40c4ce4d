// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sorts indices in place by an order of the elements that they stand for.
///
/// Heap sort: no memory, no recursion, and n log n comparisons whatever the input, as names and offsets of a hostile
/// file may come in the worst order for other algorithms, or all in one slot of a hash table.
@inlinable package func sort(_ indices: UnsafeMutableBufferPointer<Int32>, by precedes: (Int32, Int32) -> Bool) {
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

/// The numbers below `count`, by an order of the elements that they stand for.
@inlinable package func sorted(
    count: Int, by precedes: (Int32, Int32) -> Bool
) throws(BackboneError) -> UniqueArray<Int32> {
    var indices = UniqueArray<Int32>()
    try indices.reserve(count)
    for index in 0..<count { indices.appendReserved(Int32(index)) }
    sort(indices.mutableElements, by: precedes)
    return indices
}

/// Finds an index among those that `sort` has put in order: the first, if several match.
///
/// - Parameter comparison: of the element of an index with the wanted one: below zero if it comes before, zero if it is
///   equal.
@inlinable package func search(_ indices: UnsafeBufferPointer<Int32>, by comparison: (Int32) -> Int) -> Int? {
    search(count: indices.count) { comparison(indices[$0]) }.map { Int(indices[$0]) }
}

/// The same among positions of elements that are in order themselves.
@inlinable package func search(count: Int, by comparison: (Int) -> Int) -> Int? {
    var low = 0
    var high = count
    while low < high {
        let middle = (low + high) / 2
        if comparison(middle) < 0 { low = middle + 1 } else { high = middle }
    }
    return low < count && comparison(low) == 0 ? low : nil
}

/// Moves the element at `start` down to where no child of the first `count` comes after it.
@inlinable func siftDown(
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
