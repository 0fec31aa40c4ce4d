// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// A task for one of the kernels.
enum Work: BitwiseCopyable {
    case convolution(ConvolutionTask)
    case maxPooling(MaxPoolingTask)
    case inputConversion(InputConversionTask)
    case outputConversion(OutputConversionTask)
    case batchStatistics(BatchStatisticsTask)
    case batchNormalization(BatchNormalizationTask)
    case borderZeroing(BorderZeroingTask)

    func blockCount(_ kernels: KernelTable) -> Int {
        switch self {
        case .convolution(let task): kernels.convolution.blockCount(task.shape)
        case .maxPooling(let task): kernels.maxPooling.blockCount(task)
        case .inputConversion(let task): kernels.inputConversion.blockCount(task)
        case .outputConversion(let task): kernels.outputConversion.blockCount(task)
        case .batchStatistics(let task): kernels.batchStatistics.blockCount(task)
        case .batchNormalization(let task): kernels.batchNormalization.blockCount(task)
        case .borderZeroing(let task): kernels.borderZeroing.blockCount(task)
        }
    }

    func scratchCount(_ kernels: KernelTable) -> Int {
        switch self {
        case .convolution(let task): kernels.convolution.scratchCount(task.shape)
        case .maxPooling(let task): kernels.maxPooling.scratchCount(task)
        case .inputConversion(let task): kernels.inputConversion.scratchCount(task)
        case .outputConversion(let task): kernels.outputConversion.scratchCount(task)
        case .batchStatistics(let task): kernels.batchStatistics.scratchCount(task)
        case .batchNormalization(let task): kernels.batchNormalization.scratchCount(task)
        case .borderZeroing(let task): kernels.borderZeroing.scratchCount(task)
        }
    }

    func run(_ kernels: KernelTable, block: Int, scratch: UnsafeMutablePointer<Float>) {
        switch self {
        case .convolution(let task): kernels.convolution.run(task, block, scratch)
        case .maxPooling(let task): kernels.maxPooling.run(task, block, scratch)
        case .inputConversion(let task): kernels.inputConversion.run(task, block, scratch)
        case .outputConversion(let task): kernels.outputConversion.run(task, block, scratch)
        case .batchStatistics(let task): kernels.batchStatistics.run(task, block, scratch)
        case .batchNormalization(let task): kernels.batchNormalization.run(task, block, scratch)
        case .borderZeroing(let task): kernels.borderZeroing.run(task, block, scratch)
        }
    }

    /// Computes all blocks, shared among the threads of the pool.
    func run(_ kernels: KernelTable, _ pool: borrowing ThreadPool, _ memory: Workspace) {
        var job = Job(work: self, kernels: kernels, memory: memory)
        withUnsafeMutablePointer(to: &job) { job in
            pool.run(count: blockCount(kernels), context: UnsafeMutableRawPointer(job)) { context, block, worker in
                let job = context.assumingMemoryBound(to: Job.self)
                job.pointee.work.run(
                    job.pointee.kernels, block: block, scratch: job.pointee.memory.scratch(worker: worker))
            }
        }
    }

    private struct Job {
        let work: Work
        let kernels: KernelTable
        let memory: Workspace
    }
}
