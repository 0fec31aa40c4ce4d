// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ResidualNetwork {
    /// A block that normalises before it convolves: `branch(p) + shortcut`, with `p = relu(norm1(input))`, where a projection
    /// reads `p` and an identity the input itself (He et al. 2016, arXiv:1603.05027, figure 1).
    mutating func addPreactivationBlock(
        _ input: Int, _ block: Architecture.Block, _ width: BlockWidth, _ geometry: BlockGeometry, isFirst: Bool
    ) throws(BackboneError) -> Int {
        let start = try graph.activation(.relu, try addNorm("norm1", input))
        var shortcut: Int? = architecture.shortcut == .none ? nil : input
        // timm's first Bottleneck of a stage always has one.
        let isProjected =
            geometry.changes || graph.channels(input) != width.output || isFirst && block == .bottleneck
        if shortcut != nil && isProjected {
            shortcut = try graph.convolution(
                "downsample.conv", try addShortcutPooling(start, geometry), to: width.output,
                Window(size: 1, stride: architecture.shortcut == .average ? 1 : geometry.stride))
        }
        let branch =
            switch block {
            case .basic: try addPreactivationBasicBranch(start, width, geometry)
            case .bottleneck: try addPreactivationBottleneckBranch(start, width, geometry)
            }
        let gated = try addGate(branch, width)
        guard let shortcut else { return gated }
        return try graph.add(gated, shortcut)
    }

    private mutating func addPreactivationBasicBranch(
        _ input: Int, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int {
        var branch = try graph.convolution("conv1", input, to: width.first, geometry.window)
        branch = try graph.activation(.relu, try addNorm("norm2", branch))
        return try graph.convolution(
            "conv2", branch, to: width.output, .same3x3(dilation: geometry.secondDilation),
            initialWeights: lastWeights)
    }

    private mutating func addPreactivationBottleneckBranch(
        _ input: Int, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int {
        var branch = try graph.convolution("conv1", input, to: width.first, Window(size: 1))
        branch = try graph.activation(.relu, try addNorm("norm2", branch))
        branch = try graph.convolution(
            "conv2", branch, to: width.second, geometry.window, groups: architecture.cardinality)
        branch = try graph.activation(.relu, try addNorm("norm3", branch))
        return try graph.convolution(
            "conv3", branch, to: width.output, Window(size: 1), initialWeights: lastWeights)
    }

    /// Initial weights of the last convolution of a branch.
    private var lastWeights: Convolution.InitialWeights { configuration.zeroInitResidual ? .zero : .kaiming }
}

extension BlockGeometry {
    /// The window of its first 3x3 convolution.
    fileprivate var window: Window { Window(size: 3, stride: stride, padding: dilation, dilation: dilation) }
}
