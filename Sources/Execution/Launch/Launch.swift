// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// Passes a phase of a task, of any kind, to the threads: the only place that runs kernels.
struct Launch {
    // Addresses of a task and its kernel. Copies of generic structs would ask the runtime for metadata, which allocates.
    private let task: UnsafeRawPointer
    private let kernel: UnsafeRawPointer
    private let phase: Int
    private let memory: Workspace
    /// Generic code cannot form the C function that a pool calls.
    private let runBlock:
        @Sendable (_ task: UnsafeRawPointer, _ kernel: UnsafeRawPointer, Int, Int, KernelMemory) -> Void

    /// Computes all blocks of all phases of a task, shared among the threads of a pool; once cancelled, starts no more.
    ///
    /// Generic, so it must be in the module that calls it: calls from other modules would ask for metadata.
    static func run<Task: KernelTask>(
        _ kernel: UnsafePointer<Kernel<Task>>, _ task: UnsafePointer<Task>, _ pool: borrowing ThreadPool,
        _ memory: Workspace, _ cancellation: Cancellation
    ) {
        let needs = kernel.pointee.needs(task.pointee)
        assert(isContractKept(task.pointee, needs, memory))
        for phase in 0..<needs.phaseCount {
            var launch = Launch(task: task, kernel: kernel, phase: phase, memory: memory) {
                task, kernel, phase, block, memory in
                let kernel = kernel.assumingMemoryBound(to: Kernel<Task>.self)
                kernel.pointee.runBlock(task.assumingMemoryBound(to: Task.self).pointee, phase, block, memory)
            }
            launch.run(count: kernel.pointee.blockCount(task.pointee, phase), pool, cancellation)
        }
    }

    /// The same for a kernel that needs no memory.
    static func run<Task: KernelTask>(
        _ kernel: Kernel<Task>, _ task: Task, _ pool: borrowing ThreadPool, _ cancellation: Cancellation
    ) {
        guard let nowhere = UnsafeMutableRawPointer(bitPattern: Heap.alignment) else { return }
        let memory = Workspace(
            block: nowhere, size: WorkspaceSize(activations: 0, shared: 0, scratch: 0, workers: 0, statistics: 0))
        withUnsafePointer(to: kernel) { kernel in
            withUnsafePointer(to: task) { task in run(kernel, task, pool, memory, cancellation) }
        }
    }

    private init(
        task: UnsafeRawPointer, kernel: UnsafeRawPointer, phase: Int, memory: Workspace,
        runBlock: @escaping @Sendable (UnsafeRawPointer, UnsafeRawPointer, Int, Int, KernelMemory) -> Void
    ) {
        self.task = task
        self.kernel = kernel
        self.phase = phase
        self.memory = memory
        self.runBlock = runBlock
    }

    private mutating func run(count: Int, _ pool: borrowing ThreadPool, _ cancellation: Cancellation) {
        withUnsafeMutablePointer(to: &self) { launch in
            pool.run(count: count, cancellation: cancellation, context: UnsafeMutableRawPointer(launch)) {
                context, block, worker in
                let launch = context.assumingMemoryBound(to: Launch.self)
                let memory = launch.pointee.memory
                launch.pointee.runBlock(
                    launch.pointee.task, launch.pointee.kernel, launch.pointee.phase, block,
                    KernelMemory(shared: memory.shared, own: memory.scratch(worker: worker)))
            }
        }
    }

    /// True; each assertion ends the process where it does not hold. Itself an assertion, it costs nothing in release builds.
    private static func isContractKept<Task: KernelTask>(_ task: Task, _ needs: KernelNeeds, _ memory: Workspace)
        -> Bool
    {
        task.assertContract()
        assert(needs.scratchCount <= memory.size.scratch, "the scratch memory is too small")
        assert(needs.sharedCount <= memory.size.shared, "the shared memory is too small")
        assert(Int(bitPattern: memory.shared) % Heap.alignment == 0, "the shared memory is not aligned")
        assert(Int(bitPattern: memory.scratch(worker: 1)) % Heap.alignment == 0, "the scratch memory is not aligned")
        return true
    }
}
