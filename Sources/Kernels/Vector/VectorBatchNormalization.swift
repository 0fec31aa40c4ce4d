// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// BatchNorm in two phases: a scale and a shift of each channel, then the rows. Channels that fill no vectors are left to
/// the portable kernel.
enum VectorBatchNormalization<Instructions: VectorInstructions> {
    static var kernel: Kernel<BatchNormalizationTask> {
        Kernel(
            name: Instructions.names.batchNormalization,
            needs: {
                let portable = PortableBatchNormalization.scratchCount(channels: $0.output.channels)
                return hasVectors($0.output)
                    ? KernelNeeds(phaseCount: 2, sharedCount: factorCount($0.output))
                    : KernelNeeds(scratchCount: portable)
            },
            blockCount: { task, phase in
                hasVectors(task.output) && phase == 0
                    ? factorBlockCount(task.output) : PortableBatchNormalization.blockCount(task.output)
            },
            runBlock: { task, phase, block, memory in
                guard hasVectors(task.output) else {
                    return PortableBatchNormalization.run(task, block: block, scratch: memory.own)
                }
                if phase == 0 {
                    computeFactors(task, block: block, memory.shared)
                } else {
                    normalize(task, block: block, memory.shared)
                }
            })
    }

    static func hasVectors(_ output: Activation) -> Bool { output.channels % Instructions.lanes == 0 }

    /// Floats for the factors: scales first, then shifts.
    static func factorCount(_ output: Activation) -> Int { 2 * output.channels }

    private static func factorBlockCount(_ output: Activation) -> Int {
        divideRoundingUp(output.channels, factorBlockSize)
    }

    /// Channels whose factors take about half a microsecond, so that a job of few of them is not shared.
    private static var factorBlockSize: Int { 512 }

    /// A block is a range of channels.
    private static func computeFactors(
        _ task: BatchNormalizationTask, block: Int, _ factors: UnsafeMutablePointer<Float>
    ) {
        let first = block * factorBlockSize
        computeFactors(task, first..<min(first + factorBlockSize, task.output.channels), factors)
    }

    /// The factors of some channels: multiples of 8.
    static func computeFactors(
        _ task: BatchNormalizationTask, _ channels: Range<Int>, _ factors: UnsafeMutablePointer<Float>
    ) {
        let first = channels.lowerBound
        Instructions.normalizationFactors(
            mean: task.mean + first, variance: task.variance + first, epsilon: task.epsilon,
            weight: task.weight + first,
            bias: task.bias + first, channels: channels.count, scale: factors + first,
            shift: factors + task.output.channels + first)
    }

    /// A block is a range of rows.
    static func normalize(_ task: BatchNormalizationTask, block: Int, _ factors: UnsafePointer<Float>) {
        let blocks = PortableBatchNormalization.blockCount(task.output)
        for row in blockRange(block, of: blocks, count: task.output.height) {
            let pixels = shims_elementwise(
                input: task.input.pixel(row: row, column: 0), scale: factors, shift: factors + task.output.channels,
                residual: task.residual?.pixel(row: row, column: 0), output: task.output.pixel(row: row, column: 0),
                channels: task.output.channels, pixels: task.output.width)
            Instructions.elementwiseSums(pixels, isReLU: task.relu)
        }
    }
}
