// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Block `index` of `count` items in `blocks` blocks whose sizes differ by at most one.
func blockRange(_ index: Int, of blocks: Int, count: Int) -> Range<Int> {
    let (size, larger) = count.quotientAndRemainder(dividingBy: blocks)
    let start = index * size + min(index, larger)
    return start..<(start + size + (index < larger ? 1 : 0))
}

func divideRoundingUp(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }

/// Blocks of rows that hold about `blockFloats` floats each.
func rowBlockCount(height: Int, rowFloats: Int) -> Int {
    let rows = max(1, blockFloats / max(1, rowFloats))
    return max(1, divideRoundingUp(height, rows))
}

/// Floats of a block of a kernel that mostly moves memory: an eighth of a megabyte stays in the L2 cache, and costs
/// enough time (about 10 microseconds) to be worth passing to a thread.
private let blockFloats = 32 * 1024
