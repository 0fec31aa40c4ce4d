// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The sums of squares of a flat vector of gradients, one for each of its blocks, whose order and size depend only on
/// its length.
struct SquaredSums: ~Copyable {
    private let sums: Buffer<Double>
    private let count: Int

    init(
        _ gradients: UnsafePointer<Float>, count: Int, _ kernels: OptimizerKernels, _ pool: borrowing ThreadPool
    ) throws(BackboneError) {
        sums = try Buffer(count: parameterBlockCount(count))
        self.count = count
        let task = SquaredSumsTask(values: gradients, count: count, sums: sums.start)
        withUnsafePointer(to: kernels) { kernels in
            var job = Job(kernels: kernels, task: task)
            job.run(pool)
        }
    }

    private struct Job {
        let kernels: UnsafePointer<OptimizerKernels>
        let task: SquaredSumsTask

        mutating func run(_ pool: borrowing ThreadPool) {
            let blocks = parameterBlockCount(task.count)
            withUnsafeMutablePointer(to: &self) { job in
                pool.run(count: blocks, context: UnsafeMutableRawPointer(job)) { context, block, worker in
                    let job = context.assumingMemoryBound(to: Job.self)
                    job.pointee.kernels.pointee.squaredSums.runBlock(job.pointee.task, 0, block, job.pointee.memory)
                }
            }
        }

        /// Memory without a size: the kernel needs none.
        private var memory: KernelMemory {
            let address = UnsafeMutableRawPointer(task.sums).assumingMemoryBound(to: Float.self)
            return KernelMemory(shared: address, own: address)
        }
    }

    /// The norm of the vector; not finite exactly if one of its elements is not.
    var norm: Double {
        var sum = 0.0
        for block in 0..<sums.count { sum += sums.start[block] }
        return sum.squareRoot()
    }

    /// The first element of the vector that is not finite; nil if it has none.
    func firstNotFinite(of gradients: UnsafePointer<Float>) -> Int? {
        for block in 0..<sums.count where !sums.start[block].isFinite {
            for element in parameterBlock(block, of: count) where !gradients[element].isFinite { return element }
        }
        return nil
    }
}
