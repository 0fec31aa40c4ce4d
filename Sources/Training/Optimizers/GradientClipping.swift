// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// Scales gradients so that their norm, that of the whole vector, is at most `maxNorm`: PyTorch's `clip_grad_norm_`. The
/// factor is `maxNorm / (norm + 1e-6)`, at most 1. The norm is summed in Double, by blocks, so that it has the same bits
/// for every number of threads; PyTorch's may differ in the last digits of a Float.
///
/// As with PyTorch's default, a norm that is not finite is not an error: an infinite one makes finite gradients 0 and
/// infinite ones NaN, a norm that is NaN makes all of them NaN. Check the result, or let the step refuse them.
///
/// - Returns: the norm before scaling.
/// - Throws: `invalidArgument` unless `maxNorm` is at least 0, infinity included; `outOfMemory`. Nothing has changed then.
package func clipGradients(
    _ gradients: UnsafeMutablePointer<Float>?, count: Int, maxNorm: Double, kernels: OptimizerKernels,
    pool: borrowing ThreadPool
) throws(BackboneError) -> Double {
    guard maxNorm >= 0 else {
        throw BackboneError(.invalidArgument, "max_norm is \(maxNorm), expected at least 0")
    }
    // An empty vector may have no address.
    guard let gradients, count > 0 else { return 0 }
    let norm = try SquaredSums(gradients, count: count, kernels, pool).norm
    let quotient = maxNorm / (norm + 1e-6)
    let factor = quotient > 1 ? 1 : Float(quotient)
    if factor != 1 {
        let task = ScalingTask(values: gradients, count: count, factor: factor)
        withUnsafePointer(to: kernels) { kernels in
            var job = ScalingJob(kernels: kernels, task: task)
            job.run(pool)
        }
    }
    return norm
}

private struct ScalingJob {
    let kernels: UnsafePointer<OptimizerKernels>
    let task: ScalingTask

    mutating func run(_ pool: borrowing ThreadPool) {
        let blocks = parameterBlockCount(task.count)
        withUnsafeMutablePointer(to: &self) { job in
            pool.run(count: blocks, context: UnsafeMutableRawPointer(job)) { context, block, worker in
                let job = context.assumingMemoryBound(to: ScalingJob.self)
                let memory = KernelMemory(shared: job.pointee.task.values, own: job.pointee.task.values)
                job.pointee.kernels.pointee.scaling.runBlock(job.pointee.task, 0, block, memory)
            }
        }
    }
}
