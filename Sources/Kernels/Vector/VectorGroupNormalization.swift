// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// GroupNorm from the statistics of channels, which take two phases here. Channels that fill no vectors are left to the
/// portable kernel.
enum VectorGroupNormalization<Instructions: VectorInstructions> {
    static var kernel: Kernel<GroupNormalizationTask> {
        Kernel(
            name: Instructions.names.groupNormalization,
            needs: { task in
                guard hasVectors(task) else { return PortableGroupNormalization.needs(task) }
                let statistics = VectorBatchStatistics<Instructions>.needs(task.input, imageCount: 1)
                return KernelNeeds(
                    phaseCount: GroupNormalizationPhase.count + 1,
                    sharedCount: partsOffset(task) + statistics.sharedCount, scratchCount: statistics.scratchCount)
            },
            blockCount: { task, phase in
                guard hasVectors(task) else { return PortableGroupNormalization.blockCount(task, phase) }
                return phase < 2
                    ? ChannelSumParts(task.input, imageCount: 1).blockCount(phase: phase)
                    : PortableGroupNormalization.blockCount(task, phase - 1)
            },
            runBlock: { task, phase, block, memory in
                if hasVectors(task) {
                    run(task, phase, block: block, memory)
                } else {
                    PortableGroupNormalization.run(task, phase, block: block, memory)
                }
            })
    }

    private static func hasVectors(_ task: GroupNormalizationTask) -> Bool {
        VectorBatchNormalization<Instructions>.hasVectors(task.output)
    }

    /// The memory that phases share: the statistics, the factors, and the parts of sums.
    private static func factorsOffset(_ task: GroupNormalizationTask) -> Int {
        GroupStatistics.floatCount(channels: task.input.channels)
    }

    private static func partsOffset(_ task: GroupNormalizationTask) -> Int {
        factorsOffset(task) + VectorBatchNormalization<Instructions>.factorCount(task.output)
    }

    private static func run(
        _ task: GroupNormalizationTask, _ phase: Int, block: Int, _ memory: KernelMemory
    ) {
        let shared = memory.shared
        let statistics = GroupStatistics(task, shared)
        let factors = shared + factorsOffset(task)
        switch phase {
        case 0, 1:
            VectorBatchStatistics<Instructions>.run(
                statistics.ofChannels, phase, block: block, shared: shared + partsOffset(task), own: memory.own)
        case 1 + GroupNormalizationPhase.groupStatistics:
            statistics.unite()
            VectorBatchNormalization<Instructions>.computeFactors(
                statistics.normalization, 0..<task.input.channels, factors)
        default: VectorBatchNormalization<Instructions>.normalize(statistics.normalization, block: block, factors)
        }
    }
}
