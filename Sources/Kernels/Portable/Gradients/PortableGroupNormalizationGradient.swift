// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of GroupNorm, in the phases of the forward pass (`GroupNormalizationPhase`): sums of channels, of
/// groups, then rows of the input gradient.
enum PortableGroupNormalizationGradient {
    static var kernel: Kernel<GroupNormalizationGradientTask> {
        Kernel(
            name: "groupNormalizationGradientF32_portable",
            needs: {
                KernelNeeds(
                    phaseCount: GroupNormalizationPhase.count,
                    sharedCount: GroupGradientSums.floatCount(channels: $0.input.channels))
            },
            blockCount: { task, phase in blockCount(task, phase) },
            runBlock: { task, phase, block, memory in run(task, phase, block: block, memory) })
    }

    private static func blockCount(_ task: GroupNormalizationGradientTask, _ phase: Int) -> Int {
        switch phase {
        case GroupNormalizationPhase.channelStatistics:
            PortableBatchStatistics.blockCount(channels: task.input.channels)
        // A few operations per channel: too few to share.
        case GroupNormalizationPhase.groupStatistics: 1
        default: rowBlockCount(height: task.input.height, rowFloats: task.input.rowFloats)
        }
    }

    private static func run(
        _ task: GroupNormalizationGradientTask, _ phase: Int, block: Int, _ memory: KernelMemory
    ) {
        let sums = GroupGradientSums(task, memory.shared)
        switch phase {
        case GroupNormalizationPhase.channelStatistics:
            PortableBatchStatistics.run(sums.statistics, block: block)
            sums.sumChannels(PortableBatchStatistics.channels(of: block, count: task.input.channels))
        case GroupNormalizationPhase.groupStatistics:
            for group in 0..<task.groups { sums.unite(group: group) }
        default:
            for row in blockRange(block, of: blockCount(task, phase), count: task.input.height) {
                for column in 0..<task.input.width { compute(task, row: row, column: column, sums.coefficients) }
            }
        }
    }

    /// One pixel: `outputGradient * gradientFactor + (input - mean) * inputFactor + offset`.
    private static func compute(
        _ task: GroupNormalizationGradientTask, row: Int, column: Int, _ coefficients: GroupGradientSums.Coefficients
    ) {
        let input = UnsafePointer(task.input.pixel(row: row, column: column))
        let gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: column))
        let out = task.inputGradient.pixel(row: row, column: column)
        forEachOctet(task.input.channels) { channel, lanes in
            let deviation = (input + channel).octet(lanes) - (coefficients.mean + channel).octet(lanes)
            var result = (gradient + channel).octet(lanes) * (coefficients.gradientFactor + channel).octet(lanes)
            result += deviation * (coefficients.inputFactor + channel).octet(lanes)
            result += (coefficients.offset + channel).octet(lanes)
            (out + channel).write(result, lanes, accumulates: task.accumulates)
        }
    }
}
