// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// The network of a file that the table lacks.
extension NetworkOutline {
    /// The network that the file describes, if it is complete, with the first stage as wide as `customWidth`. Channels
    /// that do not follow the rules are left to `BlockWidths`.
    var custom: Architecture? {
        guard deepest > 0, deepest == Architecture.mostStages || isWhole(without: deepest + 1),
            totalBlocks <= tensorCount, let width = customWidth
        else { return nil }
        var own = Architecture()
        own.isPreactivation = isPreactivation ?? false
        own.norm = norm
        for stage in 1...deepest {
            let seen = stages[stage - 1]
            guard seen.blockCount > 0 else { return nil }
            own.blockCounts[stage - 1] = seen.blockCount
            own.blocks[stage - 1] = seen.hasThird ? .bottleneck : .basic
        }
        setStem(&own, width)
        setGroups(&own, width)
        own.shortcut = shortcut(own)
        own.attention =
            stages[0].squeezed > 0 ? squeeze : stages[0].gateSize > 0 ? .efficient : .none
        return own
    }

    /// Channels of the first stage before expansion; nil if they are unknown or more than any network has.
    var customWidth: Int? {
        let first = stages[0]
        let outputs = first.outputs / (first.hasThird ? 4 : 1)
        let channels = outputs > 0 ? outputs : stem.isKnown ? stem.widths.2 : first.inputs > 0 ? first.inputs : 64
        return (1...Int64(Configuration.maximumBaseChannels)).contains(channels) ? Int(channels) : nil
    }

    private func setStem(_ own: inout Architecture, _ base: Int) {
        own.pooling = stem.hasPoolingConvolution ? .convolution : .max
        guard stem.isKnown else { return }
        let width = Int(min(stem.widths.2, Int64(BlockWidth.most)))
        if width != base { own.stemChannels = width }
        if stem.isDeep {
            own.stem = stem.widths.0 == stem.widths.1 ? .deep : .tiered
        } else if stem.size == 3 {
            (own.stem, own.pooling, own.classes) = (.small, .none, 10)
        }
    }

    private func setGroups(_ own: inout Architecture, _ base: Int) {
        // The last stage is the widest, and so the least rounded.
        for stage in 1...deepest where own.blocks[stage - 1] == .bottleneck {
            let seen = stages[stage - 1]
            let (first, width, group) = (seen.firstWidth, seen.secondWidth, seen.groupWidth)
            let planes = Int64(own.planes(stage: stage, baseChannels: base))
            guard (1...NetworkOutline.mostBaseWidth * planes).contains(width), first > 0, (1...first).contains(group),
                first % group == 0, width % (first / group) == 0
            else { continue }
            let groups = first / group
            own.cardinality = Int(groups)
            own.baseWidth = Int((64 * (width / groups) + planes - 1) / planes)
        }
    }

    private func shortcut(_ own: Architecture) -> Architecture.Shortcut {
        var (size, isPooled, projectsLater) = (Int64(0), false, false)
        for stage in 0..<Architecture.mostStages {
            size = max(size, stages[stage].projectionSize)
            isPooled = isPooled || stages[stage].isPooled
            projectsLater = projectsLater || stages[stage].projectsLater
        }
        if size == 0 { return lacksProjections ? .subsample : .projection }
        if isPooled || own.isPreactivation && own.stem.isDeep { return .average }
        return size == 3 ? .wide : projectsLater ? .everywhere : .projection
    }

    private var squeeze: Architecture.Attention {
        guard stages[0].outputs <= Int64(BlockWidth.most) else { return .squeeze }
        let quarter = Architecture.Attention.squeezeQuarter.squeezed(Int(stages[0].outputs))
        return Int64(quarter) == stages[0].squeezed ? .squeezeQuarter : .squeeze
    }

    /// Width of the 3x3 convolutions for each channel of a stage, of all groups together; the widest known have 24.
    private static var mostBaseWidth: Int64 { 32 }

    private var totalBlocks: Int {
        var total = 0
        for stage in 0..<Architecture.mostStages { total += stages[stage].blockCount }
        return total
    }
}
