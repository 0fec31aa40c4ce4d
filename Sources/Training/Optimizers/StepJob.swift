// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The state shared by the threads that update parameters together.
struct StepJob {
    /// Runs a block of the task of a slot.
    typealias Body = @Sendable (_ job: StepJob, _ slot: Int, _ block: Int) -> Void

    /// One for each slot, of the type that the body knows.
    let tasks: UnsafeRawPointer
    /// An address, as are the tasks: copies of generic structs would ask the runtime for metadata, which allocates.
    let kernels: UnsafePointer<OptimizerKernels>
    let blocks: UnsafePointer<OptimizerState.Block>
    /// Any address: the kernels need no memory.
    let memory: KernelMemory
    let body: Body

    mutating func run(count: Int, _ pool: borrowing ThreadPool) {
        withUnsafeMutablePointer(to: &self) { job in
            pool.run(count: count, context: UnsafeMutableRawPointer(job)) { context, index, worker in
                let job = context.assumingMemoryBound(to: StepJob.self)
                let block = job.pointee.blocks[index]
                job.pointee.body(job.pointee, Int(block.slot), Int(block.index))
            }
        }
    }
}
