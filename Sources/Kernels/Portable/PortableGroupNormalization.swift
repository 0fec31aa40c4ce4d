// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// GroupNorm as a BatchNorm whose statistics are those of the groups.
enum PortableGroupNormalization {
    static var kernel: Kernel<GroupNormalizationTask> {
        Kernel(
            name: "groupNormalizationF32_portable", needs: { needs($0) },
            blockCount: { task, phase in blockCount(task, phase) },
            runBlock: { task, phase, block, memory in run(task, phase, block: block, memory) })
    }

    static func needs(_ task: GroupNormalizationTask) -> KernelNeeds {
        KernelNeeds(
            phaseCount: GroupNormalizationPhase.count,
            sharedCount: GroupStatistics.floatCount(channels: task.input.channels),
            scratchCount: PortableBatchNormalization.scratchCount(channels: task.output.channels))
    }

    static func blockCount(_ task: GroupNormalizationTask, _ phase: Int) -> Int {
        switch phase {
        case GroupNormalizationPhase.channelStatistics:
            PortableBatchStatistics.blockCount(channels: task.input.channels)
        // A few operations per channel: too few to share.
        case GroupNormalizationPhase.groupStatistics: 1
        default: PortableBatchNormalization.blockCount(task.output)
        }
    }

    static func run(_ task: GroupNormalizationTask, _ phase: Int, block: Int, _ memory: KernelMemory) {
        let statistics = GroupStatistics(task, memory.shared)
        switch phase {
        case GroupNormalizationPhase.channelStatistics: PortableBatchStatistics.run(statistics.ofChannels, block: block)
        case GroupNormalizationPhase.groupStatistics: statistics.unite()
        default: PortableBatchNormalization.run(statistics.normalization, block: block, scratch: memory.own)
        }
    }
}
