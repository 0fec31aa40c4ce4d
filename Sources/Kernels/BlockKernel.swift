// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// One way to compute one kind of task: the shape that all kernels but convolution share.
///
/// A task is a struct of pointers and sizes. It is cut into blocks that can be computed in any order and by any threads;
/// the cut depends on the task's sizes alone and no sum is split across blocks, so results are the same bits however
/// many threads share the blocks.
package struct BlockKernel<Task: BitwiseCopyable>: Sendable {
    /// For plans and benchmarks: `maxPoolingF32_portable`.
    package let name: StaticString

    /// Into how many independent blocks the task is cut; at least 1.
    package let blockCount: @Sendable (Task) -> Int

    /// Floats of scratch memory that a thread needs while it computes a block; 0 where there is no need.
    package let scratchCount: @Sendable (Task) -> Int

    /// Computes one block, with scratch memory aligned to 64 bytes that nobody else uses meanwhile.
    package let run: @Sendable (_ task: Task, _ block: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void

    package init(
        name: StaticString, blockCount: @escaping @Sendable (Task) -> Int,
        scratchCount: @escaping @Sendable (Task) -> Int,
        run: @escaping @Sendable (Task, Int, UnsafeMutablePointer<Float>) -> Void
    ) {
        self.name = name
        self.blockCount = blockCount
        self.scratchCount = scratchCount
        self.run = run
    }
}

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

/// Floats of a block of a kernel that does little more than move memory: an eighth of a megabyte stays in the L2 cache,
/// and takes long enough (about 10 microseconds) to be worth handing to a thread.
private let blockFloats = 32 * 1024
