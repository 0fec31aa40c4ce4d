// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// GroupNorm from the statistics of channels. Channels that fill no vectors are left to the portable kernel.
enum VectorGroupNormalization<Instructions: VectorInstructions> {
    static var kernel: Kernel<GroupNormalizationTask> {
        Kernel(
            name: Instructions.names.groupNormalization,
            needs: { task in
                guard hasVectors(task) else { return PortableGroupNormalization.needs(task) }
                let factors = VectorBatchNormalization<Instructions>.factorCount(task.output)
                return KernelNeeds(
                    phaseCount: GroupNormalizationPhase.count,
                    sharedCount: GroupStatistics.floatCount(channels: task.input.channels) + factors)
            },
            blockCount: { task, phase in
                hasVectors(task) && phase == GroupNormalizationPhase.channelStatistics
                    ? VectorBatchStatistics<Instructions>.blockCount(task.input.channels)
                    : PortableGroupNormalization.blockCount(task, phase)
            },
            runBlock: { task, phase, block, memory in
                if hasVectors(task) {
                    run(task, phase, block: block, memory.shared)
                } else {
                    PortableGroupNormalization.run(task, phase, block: block, memory)
                }
            })
    }

    private static func hasVectors(_ task: GroupNormalizationTask) -> Bool {
        VectorBatchNormalization<Instructions>.hasVectors(task.output)
    }

    private static func run(
        _ task: GroupNormalizationTask, _ phase: Int, block: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        let statistics = GroupStatistics(task, shared)
        let factors = shared + GroupStatistics.floatCount(channels: task.input.channels)
        switch phase {
        case GroupNormalizationPhase.channelStatistics:
            VectorBatchStatistics<Instructions>.run(statistics.ofChannels, block: block)
        case GroupNormalizationPhase.groupStatistics:
            statistics.unite()
            VectorBatchNormalization<Instructions>.computeFactors(
                statistics.normalization, 0..<task.input.channels, factors)
        default: VectorBatchNormalization<Instructions>.normalize(statistics.normalization, block: block, factors)
        }
    }
}
