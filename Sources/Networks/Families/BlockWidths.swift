// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The channels inside the stem and the blocks of a network that does not follow the rules, such as a pruned one; empty
/// for networks that do.
package struct BlockWidths: ~Copyable {
    /// Two numbers for the first convolutions of a deep stem, and four for each block, stage by stage: see `BlockWidth`.
    package internal(set) var values = UniqueArray<Int32>()

    package init() {}

    /// The channels by the rules of an architecture, for callers that do not know the rules.
    package init(regularOf configuration: Configuration) throws(BackboneError) {
        let architecture = configuration.architecture
        let stem = architecture.stemWidths(baseChannels: configuration.baseChannels)
        try values.append(architecture.stem.isDeep ? Int32(clamping: stem.first) : 0)
        try values.append(architecture.stem.isDeep ? Int32(clamping: stem.second) : 0)
        for stage in 0..<architecture.stageCount {
            let width = architecture.blockWidth(stage: stage + 1, baseChannels: configuration.baseChannels)
            for _ in 0..<architecture.blockCounts[stage] {
                try values.append(Int32(clamping: width.first))
                try values.append(Int32(clamping: width.second))
                try values.append(Int32(clamping: width.output))
                try values.append(Int32(clamping: width.gate))
            }
        }
    }

    /// Checks a caller's numbers.
    package init(_ values: UnsafeBufferPointer<Int32>, for architecture: Architecture) throws(BackboneError) {
        var blocks = 0
        for stage in 0..<architecture.stageCount { blocks += architecture.blockCounts[stage] }
        let expected = BlockWidth.start(block: blocks)
        guard values.count == expected else {
            throw BackboneError(
                .invalidArgument,
                "block_width_count is \(values.count), expected \(expected): 2 for the stem and 4 for each block")
        }
        for index in 0..<values.count {
            let inBlocks = index - BlockWidth.start(block: 0)
            let mayBeAbsent =
                inBlocks < 0 ? !architecture.stem.isDeep : inBlocks % 4 == 3 && architecture.attention == .none
            let least: Int32 = mayBeAbsent ? 0 : 1
            guard (least...BlockWidth.most).contains(values[index]) else {
                throw BackboneError(
                    .invalidArgument,
                    "block_widths[\(index)] is \(values[index]), expected \(least) to \(BlockWidth.most)")
            }
            try self.values.append(values[index])
        }
    }

    package var isEmpty: Bool { values.isEmpty }

    func isSame(as other: borrowing BlockWidths) -> Bool {
        guard values.count == other.values.count else { return false }
        for index in 0..<values.count where values[index] != other.values[index] { return false }
        return true
    }
}

/// Output channels of the convolutions of a block.
struct BlockWidth: BitwiseCopyable {
    let first: Int
    /// Output channels of the whole block in a BasicBlock.
    let second: Int
    let output: Int
    /// Channels of the gate's squeeze, or the size of ECA's convolution; 0 without a gate.
    let gate: Int

    /// The offset of a block's numbers.
    static func start(block: Int) -> Int { 2 + 4 * block }

    static var most: Int32 { 1 << 24 }

    init(first: Int, second: Int, output: Int, gate: Int) {
        self.first = first
        self.second = second
        self.output = output
        self.gate = gate
    }

    /// The offset for the block with a number among all; nil without any numbers.
    init?(_ widths: UnsafeBufferPointer<Int32>, block: Int) {
        let start = BlockWidth.start(block: block)
        guard BlockWidth.start(block: block + 1) <= widths.count else { return nil }
        first = Int(widths[start])
        second = Int(widths[start + 1])
        output = Int(widths[start + 2])
        gate = Int(widths[start + 3])
    }
}

extension Architecture {
    /// The channels of a stage's blocks by the architecture's rules. `stage` counts from 1.
    func blockWidth(stage: Int, baseChannels: Int) -> BlockWidth {
        let planes = planes(stage: stage, baseChannels: baseChannels)
        let output = outputs(stage: stage, baseChannels: baseChannels)
        let isBasic = blocks[stage - 1] == .basic
        let width = isBasic ? planes : width(planes: planes)
        let gate =
            switch attention {
            case .none: 0
            case .squeeze, .squeezeQuarter: attention.squeezed(output)
            case .efficient: Attention.kernelSize(output)
            }
        return BlockWidth(
            first: max(1, width / reduction), second: isBasic ? output : width, output: output, gate: gate)
    }
}
