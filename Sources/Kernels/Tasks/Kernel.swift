// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The work of a kernel: a struct of pointers and sizes.
package protocol KernelTask: BitwiseCopyable, SendableMetatype {
    /// Asserts the preconditions of all kernels of the task: matching sizes, borders, alignment. Checked only in debug
    /// builds; the planner ensures them.
    func assertContract()
}

/// One way to compute one kind of task.
///
/// A task is computed in phases, one after the other, and each phase in blocks, in any order and by any threads. The
/// blocks depend on the task's sizes alone and no sum is split across blocks, so results have the same bits for any
/// number of threads.
///
/// All closures are free of captures: Swift would allocate captured values, and cannot report that memory ran out. For
/// the same reason they are few: copies of a larger generic struct ask the runtime for metadata, which allocates.
package struct Kernel<Task: KernelTask>: Sendable {
    /// The name in plans and benchmarks: `maxPoolingF32_portable`.
    package let name: StaticString

    package let needs: @Sendable (Task) -> KernelNeeds

    /// The number of independent blocks of a phase; at least 1.
    package let blockCount: @Sendable (_ task: Task, _ phase: Int) -> Int

    /// Computes one block of a phase, after all blocks of the phases before it.
    package let runBlock: @Sendable (_ task: Task, _ phase: Int, _ block: Int, KernelMemory) -> Void

    /// Internal, since to other modules defaults are generic functions, which allocate.
    init(
        name: StaticString, needs: @escaping @Sendable (Task) -> KernelNeeds = { _ in KernelNeeds() },
        blockCount: @escaping @Sendable (Task, Int) -> Int,
        runBlock: @escaping @Sendable (Task, Int, Int, KernelMemory) -> Void
    ) {
        self.name = name
        self.needs = needs
        self.blockCount = blockCount
        self.runBlock = runBlock
    }
}

/// The memory that a kernel needs for a task.
package struct KernelNeeds: BitwiseCopyable {
    /// At least 1.
    package var phaseCount = 1
    /// Floats of memory that the phases share.
    package var sharedCount = 0
    /// Floats of scratch memory of each thread.
    package var scratchCount = 0
}

/// The memory of a block, aligned to `Heap.alignment`.
package struct KernelMemory: BitwiseCopyable {
    /// The results of earlier phases of the same task, shared by all threads.
    package let shared: UnsafeMutablePointer<Float>
    /// No other block uses it at the same time.
    package let own: UnsafeMutablePointer<Float>

    package init(shared: UnsafeMutablePointer<Float>, own: UnsafeMutablePointer<Float>) {
        self.shared = shared
        self.own = own
    }
}
