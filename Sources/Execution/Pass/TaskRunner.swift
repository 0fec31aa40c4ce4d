// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// Computes tasks with the threads of an engine, or measures the memory that they need.
struct TaskRunner {
    let engine: UnsafePointer<Engine>
    let cancellation: Cancellation
    /// Nil while it only measures.
    var memory: Workspace?
    /// Floats of the scratch memory of each worker, and of the memory shared by phases, requested by tasks.
    private(set) var scratchCount = 0
    private(set) var sharedCount = 0

    init(_ engine: UnsafePointer<Engine>, _ cancellation: Cancellation) {
        self.engine = engine
        self.cancellation = cancellation
    }

    mutating func startMeasuring() {
        memory = nil
        scratchCount = 0
        sharedCount = 0
    }

    mutating func perform<Task: KernelTask>(_ kernel: Kernel<Task>, _ task: Task) {
        guard let memory else {
            let needs = kernel.needs(task)
            scratchCount = max(scratchCount, needs.scratchCount)
            sharedCount = max(sharedCount, needs.sharedCount)
            return
        }
        withUnsafePointer(to: kernel) { kernel in
            withUnsafePointer(to: task) { task in
                Launch.run(kernel, task, engine.pointee.pool, memory, cancellation)
            }
        }
    }
}
