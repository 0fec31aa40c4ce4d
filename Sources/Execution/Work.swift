// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// A task for one of the kernels.
enum Work: BitwiseCopyable {
    case convolution(ConvolutionTask, ConvolutionAlgorithm)
    case maxPooling(MaxPoolingTask)
    case inputConversion(InputConversionTask)
    case outputConversion(OutputConversionTask)
    case batchStatistics(BatchStatisticsTask)
    case batchNormalization(BatchNormalizationTask)
    case borderZeroing(BorderZeroingTask)

    func phaseCount(_ kernels: KernelTable) -> Int {
        guard case .convolution(let task, let algorithm) = self else { return 1 }
        return kernels.convolutions[algorithm, task.shape].phaseCount(task)
    }

    func blockCount(_ kernels: KernelTable, phase: Int) -> Int {
        switch self {
        case .convolution(let task, let algorithm): kernels.convolutions[algorithm, task.shape].blockCount(task, phase)
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
        case .convolution(let task, let algorithm): kernels.convolutions[algorithm, task.shape].scratchCount(task)
        case .maxPooling(let task): kernels.maxPooling.scratchCount(task)
        case .inputConversion(let task): kernels.inputConversion.scratchCount(task)
        case .outputConversion(let task): kernels.outputConversion.scratchCount(task)
        case .batchStatistics(let task): kernels.batchStatistics.scratchCount(task)
        case .batchNormalization(let task): kernels.batchNormalization.scratchCount(task)
        case .borderZeroing(let task): kernels.borderZeroing.scratchCount(task)
        }
    }

    /// Floats that the phases of a convolution share.
    func sharedCount(_ kernels: KernelTable) -> Int {
        guard case .convolution(let task, let algorithm) = self else { return 0 }
        return kernels.convolutions[algorithm, task.shape].sharedCount(task)
    }

    /// Computes all blocks of all phases, shared among the threads of the pool, or none any more once cancelled.
    func run(
        _ kernels: KernelTable, _ pool: borrowing ThreadPool, _ memory: Workspace, _ cancellation: Cancellation
    ) {
        for phase in 0..<phaseCount(kernels) {
            var job = Job(computation: Computation(self, phase: phase, kernels), memory: memory)
            withUnsafeMutablePointer(to: &job) { job in
                pool.run(
                    count: blockCount(kernels, phase: phase), cancellation: cancellation,
                    context: UnsafeMutableRawPointer(job)
                ) { context, block, worker in
                    context.assumingMemoryBound(to: Job.self).pointee.run(block: block, worker: worker)
                }
            }
        }
    }

    private struct Job {
        let computation: Computation
        let memory: Workspace

        func run(block: Int, worker: Int) {
            computation.run(block: block, ConvolutionMemory(shared: memory.shared, own: memory.scratch(worker: worker)))
        }
    }
}

/// A phase of a task with what computes it: looked up once, since a table is large to be copied for each block.
private enum Computation {
    case convolution(ConvolutionTask, phase: Int, @Sendable (ConvolutionTask, Int, Int, ConvolutionMemory) -> Void)
    case maxPooling(MaxPoolingTask, BlockKernel<MaxPoolingTask>)
    case inputConversion(InputConversionTask, BlockKernel<InputConversionTask>)
    case outputConversion(OutputConversionTask, BlockKernel<OutputConversionTask>)
    case batchStatistics(BatchStatisticsTask, BlockKernel<BatchStatisticsTask>)
    case batchNormalization(BatchNormalizationTask, BlockKernel<BatchNormalizationTask>)
    case borderZeroing(BorderZeroingTask, BlockKernel<BorderZeroingTask>)

    init(_ work: Work, phase: Int, _ kernels: KernelTable) {
        switch work {
        case .convolution(let task, let algorithm):
            self = .convolution(task, phase: phase, kernels.convolutions[algorithm, task.shape].run)
        case .maxPooling(let task): self = .maxPooling(task, kernels.maxPooling)
        case .inputConversion(let task): self = .inputConversion(task, kernels.inputConversion)
        case .outputConversion(let task): self = .outputConversion(task, kernels.outputConversion)
        case .batchStatistics(let task): self = .batchStatistics(task, kernels.batchStatistics)
        case .batchNormalization(let task): self = .batchNormalization(task, kernels.batchNormalization)
        case .borderZeroing(let task): self = .borderZeroing(task, kernels.borderZeroing)
        }
    }

    func run(block: Int, _ memory: ConvolutionMemory) {
        switch self {
        case .convolution(let task, let phase, let run): run(task, phase, block, memory)
        case .maxPooling(let task, let kernel): kernel.run(task, block, memory.own)
        case .inputConversion(let task, let kernel): kernel.run(task, block, memory.own)
        case .outputConversion(let task, let kernel): kernel.run(task, block, memory.own)
        case .batchStatistics(let task, let kernel): kernel.run(task, block, memory.own)
        case .batchNormalization(let task, let kernel): kernel.run(task, block, memory.own)
        case .borderZeroing(let task, let kernel): kernel.run(task, block, memory.own)
        }
    }
}
