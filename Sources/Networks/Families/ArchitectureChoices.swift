// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A caller's choices instead of an architecture's own: unchecked numbers, 0 for the architecture's own.
package struct ArchitectureChoices: BitwiseCopyable {
    package var blockCounts: [4 of Int32] = .init(repeating: 0)
    package var block: Int32 = 0
    package var groups: Int32 = 0
    package var widthPerGroup: Int32 = 0
    package var stem: Int32 = 0
    package var stemChannels: Int32 = 0
    package var stemPooling: Int32 = 0
    package var shortcut: Int32 = 0
    package var norm: Int32 = 0
    package var attention: Int32 = 0
    package var antiAliasing: Int32 = 0
    /// 1: norms after the convolutions, 2: before them.
    package var preactivation: Int32 = 0

    package init() {}

    /// All of an architecture's own choices.
    package init(_ architecture: Architecture, baseChannels: Int) {
        for stage in 0..<Architecture.mostStages { blockCounts[stage] = Int32(architecture.blockCounts[stage]) }
        // Options cannot describe different blocks: this number is refused, where any other would build another
        // network.
        block = architecture.hasOneBlock ? architecture.blocks[0].rawValue : -1
        groups = Int32(architecture.cardinality)
        widthPerGroup = Int32(architecture.baseWidth)
        stem = architecture.stem.rawValue
        stemChannels = Int32(architecture.stemWidths(baseChannels: baseChannels).last)
        stemPooling = architecture.pooling.rawValue
        shortcut = architecture.shortcut.rawValue
        norm = architecture.norm.rawValue
        attention = architecture.attention.rawValue
        antiAliasing = architecture.antiAliasing.rawValue
        preactivation = architecture.isPreactivation ? 2 : 1
    }

    /// The architecture with these choices: of the table if it has one, else one without a name.
    ///
    /// - Throws: `invalidArgument` naming the option at fault.
    package func applied(to base: Architecture, baseChannels: Int32) throws(BackboneError) -> Architecture {
        var result = base
        try applyCounts(to: &result)
        if block != 0 { result.blocks = StageBlocks(repeating: try parse(block, "block", 2)) }
        if groups != 0 { result.cardinality = try number(groups, "groups") }
        if widthPerGroup != 0 { result.baseWidth = try number(widthPerGroup, "width_per_group") }
        if stem != 0 { result.stem = try parse(stem, "stem", 4) }
        if stemChannels != 0 {
            let channels = try number(stemChannels, "stem_channels")
            let own = result.stemWidths(baseChannels: Int(max(1, baseChannels))).last
            if channels != own { result.stemChannels = channels }
        }
        if stemPooling != 0 { result.pooling = try parse(stemPooling, "stem_pooling", 3) }
        if shortcut != 0 { result.shortcut = try parse(shortcut, "shortcut", 6) }
        if norm != 0 { result.norm = try parse(norm, "norm", 2) }
        if attention != 0 { result.attention = try parse(attention, "attention", 4) }
        if antiAliasing != 0 { result.antiAliasing = try parse(antiAliasing, "anti_aliasing", 3) }
        if preactivation != 0 {
            guard preactivation == 1 || preactivation == 2 else {
                throw BackboneError(
                    .invalidArgument, "preactivation is \(preactivation), expected 0, 1 (no) or 2 (yes)")
            }
            result.isPreactivation = preactivation == 2
        }
        try result.check()
        return result.isSame(as: base) ? base : result.named
    }

    private func applyCounts(to result: inout Architecture) throws(BackboneError) {
        guard blockCounts[0] != 0 else {
            for stage in 1..<Architecture.mostStages where blockCounts[stage] != 0 {
                throw BackboneError(
                    .invalidArgument, "block_counts[0] is 0, but later ones are not; set it to 1 to 1000")
            }
            return
        }
        for stage in 0..<Architecture.mostStages {
            let count = blockCounts[stage]
            guard (0...1000).contains(count), count == 0 || stage == 0 || blockCounts[stage - 1] != 0 else {
                throw BackboneError(
                    .invalidArgument,
                    "block_counts[\(stage)] is \(count), expected 1 to 1000, or 0 for this and all later stages")
            }
            result.blockCounts[stage] = Int(count)
        }
    }

    private func parse<Choice: RawRepresentable>(
        _ value: Int32, _ name: StaticString, _ last: Int32
    ) throws(BackboneError) -> Choice where Choice.RawValue == Int32 {
        guard let choice = Choice(rawValue: value) else {
            throw BackboneError(.invalidArgument, "\(name) is \(value), expected 0 to \(last)")
        }
        return choice
    }

    private func number(_ value: Int32, _ name: StaticString) throws(BackboneError) -> Int {
        guard (1...4096).contains(value) else {
            throw BackboneError(.invalidArgument, "\(name) is \(value), expected 1 to 4096")
        }
        return Int(value)
    }
}

extension Architecture {
    /// - Throws: `invalidArgument` for an incomplete description.
    fileprivate func check() throws(BackboneError) {
        guard stageCount > 0 else {
            throw BackboneError(
                .invalidArgument,
                """
                architecture is 'custom' without a description; set block_counts and block, or create the network from \
                its file
                """
            )
        }
        guard cardinality == 1 && baseWidth == 64 || hasBottlenecks else {
            throw BackboneError(
                .invalidArgument,
                """
                groups is \(cardinality) and width_per_group is \(baseWidth), expected 1 and 64 for BasicBlocks; set \
                block to 2 (bottleneck)
                """
            )
        }
    }

    /// Whether another one computes the same, ignoring names.
    fileprivate func isSame(as other: Architecture) -> Bool {
        for stage in 0..<stageCount where blocks[stage] != other.blocks[stage] || planes[stage] != other.planes[stage] {
            return false
        }
        return hasBlockCounts(of: other) && cardinality == other.cardinality && baseWidth == other.baseWidth
            && reduction == other.reduction && stem == other.stem && stemWidth == other.stemWidth
            && stemChannels == other.stemChannels
            && pooling == other.pooling && shortcut == other.shortcut && norm == other.norm
            && attention == other.attention && antiAliasing == other.antiAliasing
            && isPreactivation == other.isPreactivation
    }

    /// The same with its name in the table, or without a name.
    fileprivate var named: Architecture {
        var index = 0
        while let row = ArchitectureTable.row(index) {
            if isSame(as: row) { return row }
            index += 1
        }
        return unnamed
    }
}
