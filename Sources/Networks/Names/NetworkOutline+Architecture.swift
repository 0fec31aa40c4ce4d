// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// The network of an outline.
extension NetworkOutline {
    /// The network of the table that it fits, or else one of its own; nil if the blocks leave that open.
    ///
    /// Rows are compared by their channels at the file's width, rounded as by the builder: at some widths several rows
    /// are one network.
    package var architecture: Architecture? {
        var found: Architecture?
        var index = 0
        while let row = ArchitectureTable.row(index) {
            index += 1
            guard fits(row) else { continue }
            // The same blocks in all stages, including those that the file lacks: the same network.
            if let found, !found.hasBlockCounts(of: row) { return nil }
            found = found ?? row
        }
        return found ?? custom
    }

    private func fits(_ row: Architecture) -> Bool {
        guard deepest > 0, row.isPreactivation == (isPreactivation ?? false), row.norm == norm,
            let base = baseChannels(row), fitsStem(row, base)
        else { return false }
        for stage in 1...Architecture.mostStages {
            let seen = stages[stage - 1]
            // The file must lack a stage that the network lacks.
            if seen.blockCount == 0 {
                if stage < deepest || row.blockCounts[stage - 1] == 0 { continue }
                if isWhole(without: stage) { return false }
                continue
            }
            guard row.blockCounts[stage - 1] == seen.blockCount,
                (row.blocks[stage - 1] == .bottleneck) == seen.hasThird, fitsWidths(row, stage, base),
                fitsAttention(row, stage, base)
            else { return false }
        }
        return fitsShortcuts(row)
    }

    /// Whether a file without a stage is still complete: its classifier reads the output of the previous stage.
    func isWhole(without stage: Int) -> Bool {
        guard stage > 1 else { return false }
        if let headInputs, headInputs == stages[stage - 2].outputs { return true }
        // Networks for CIFAR have three stages.
        return stage == 4 && stem.isKnown && !stem.isDeep && stem.size == 3
    }

    /// The `base_channels` with which a network has the file's deepest stage, or else its stem; nil if none has them. The
    /// deepest one is the widest, and so the least rounded.
    func baseChannels(_ row: Architecture) -> Int? {
        for stage in stride(from: deepest, to: 0, by: -1) where stages[stage - 1].outputs > 0 {
            let expansion = Int64(row.blocks[stage - 1].expansion)
            return NetworkOutline.base(stages[stage - 1].outputs / expansion, of: row.planes[stage - 1])
        }
        if stem.isKnown { return NetworkOutline.base(stem.widths.2, of: row.stemWidth) }
        let inputs = stages[0].inputs
        return inputs > 0 && row.stem == .single ? NetworkOutline.base(inputs, of: row.stemWidth) : 64
    }

    /// The least `base_channels` of which so many channels are made where a network of 64 has `usual`.
    private static func base(_ channels: Int64, of usual: Int) -> Int? {
        guard channels >= 1, channels <= 1 << 20 else { return nil }
        let base = (64 * Int(channels) + usual - 1) / usual
        return base <= Configuration.maximumBaseChannels ? base : nil
    }

    private func fitsStem(_ row: Architecture, _ base: Int) -> Bool {
        guard stem.isKnown else { return !stem.isDeep && row.stem == .single }
        guard row.stem.isDeep == stem.isDeep, (row.pooling == .convolution) == stem.hasPoolingConvolution,
            row.stem == .single ? stem.size == 7 : stem.size == 3
        else { return false }
        let widths = row.stemWidths(baseChannels: base)
        guard stem.widths.2 == widths.last else { return false }
        return !stem.isDeep || stem.widths.0 == widths.first && stem.widths.1 == widths.second
    }

    /// Whether the first block of a stage is as wide as that of a network, in as many groups.
    private func fitsWidths(_ row: Architecture, _ stage: Int, _ base: Int) -> Bool {
        let seen = stages[stage - 1]
        let width = row.blockWidth(stage: stage, baseChannels: base)
        let groups = row.blocks[stage - 1] == .basic ? 1 : row.cardinality
        return (seen.firstWidth == 0 || seen.firstWidth == width.first)
            && (seen.groupWidth == 0 || seen.groupWidth == width.first / groups)
            && (seen.secondWidth == 0 || seen.secondWidth == width.second)
            && (seen.outputs == 0 || seen.outputs == width.output)
    }

    private func fitsAttention(_ row: Architecture, _ stage: Int, _ base: Int) -> Bool {
        let seen = stages[stage - 1]
        let gate = row.blockWidth(stage: stage, baseChannels: base).gate
        switch row.attention {
        case .none: return seen.squeezed == 0 && seen.gateSize == 0
        case .squeeze, .squeezeQuarter: return seen.squeezed == gate
        case .efficient: return seen.gateSize == gate
        }
    }

    /// Whether a file without projections is of a network without them. Only those for CIFAR commonly are; for others a
    /// load reports them as missing.
    var lacksProjections: Bool { stem.isKnown && !stem.isDeep && stem.size == 3 }

    private func fitsShortcuts(_ row: Architecture) -> Bool {
        for stage in stages.indices where stages[stage].blockCount > 0 {
            let seen = stages[stage]
            if seen.projectionSize > 0 {
                // The names of a pre-activation network do not record whether a pooling precedes its projection.
                if !(isPreactivation ?? false) && (row.shortcut == .average) != seen.isPooled { return false }
                switch row.shortcut {
                case .projection, .average: if seen.projectionSize != 1 || seen.projectsLater { return false }
                case .wide: if stage > 0 && seen.projectionSize != 3 || seen.projectsLater { return false }
                case .everywhere: if seen.projectionSize != 1 { return false }
                case .subsample, .none: return false
                }
            } else if stage > 0 && seen.firstWidth > 0 && row.shortcut.isProjection == lacksProjections {
                // All later stages stride.
                return false
            }
        }
        return true
    }

    /// The deepest stage with blocks; 0 without blocks.
    var deepest: Int {
        var deepest = 0
        for stage in 1...Architecture.mostStages where stages[stage - 1].blockCount > 0 { deepest = stage }
        return deepest
    }

    /// Whether some stages have blocks, but not all.
    package var isPartial: Bool {
        deepest > 0 && deepest < Architecture.mostStages && !isWhole(without: deepest + 1)
    }
}
