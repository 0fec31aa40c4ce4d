// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ResidualNetwork {
    /// A residual block: `relu(branch(input) + shortcut(input))`.
    mutating func addResidualBlock(
        _ input: Int, _ block: Architecture.Block, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int {
        var branch =
            switch block {
            case .basic: try addBasicBranch(input, width, geometry)
            case .bottleneck: try addBottleneckBranch(input, width, geometry)
            }
        branch = try addGate(branch, width)
        guard let shortcut = try addShortcut(input, width, geometry) else {
            return try graph.activation(.relu, branch)
        }
        return try graph.activation(.relu, try graph.add(branch, shortcut))
    }

    private mutating func addBasicBranch(
        _ input: Int, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int {
        var branch = try addStridedConvolution("conv1", "bn1", input, to: width.first, geometry)
        branch = try graph.convolution("conv2", branch, to: width.output, .same3x3(dilation: geometry.secondDilation))
        return try addNorm("bn2", branch, initialWeight: lastNormWeight)
    }

    private mutating func addBottleneckBranch(
        _ input: Int, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int {
        let isCaffe = configuration.style == .caffe
        var branch = try graph.convolution(
            "conv1", input, to: width.first, Window(size: 1, stride: isCaffe ? geometry.stride : 1))
        branch = try graph.activation(.relu, try addNorm("bn1", branch))
        let rest =
            isCaffe
            ? BlockGeometry(
                stride: 1, dilation: geometry.dilation, laterDilation: geometry.laterDilation, rule: geometry.rule)
            : geometry
        branch = try addStridedConvolution(
            "conv2", "bn2", branch, to: width.second, rest, groups: architecture.cardinality)
        branch = try graph.convolution("conv3", branch, to: width.output, Window(size: 1))
        return try addNorm("bn3", branch, initialWeight: lastNormWeight)
    }

    /// A 3x3 convolution with its norm and function, with the stride of its block or its anti-aliased form.
    private mutating func addStridedConvolution(
        _ name: StaticString, _ norm: StaticString, _ input: Int, to channels: Int, _ geometry: BlockGeometry,
        groups: Int = 1
    ) throws(BackboneError) -> Int {
        guard channels % groups == 0 && graph.channels(input) % groups == 0 else {
            throw BackboneError(
                .invalidArgument,
                """
                groups is \(groups), expected a divisor of \(graph.channels(input)) and \(channels), the channels of a \
                convolution
                """
            )
        }
        let isSmoothed = architecture.antiAliasing != .none && geometry.changes
        let window = Window(
            size: 3, stride: isSmoothed ? 1 : geometry.stride, padding: geometry.dilation, dilation: geometry.dilation)
        var features = try graph.convolution(name, input, to: channels, window, groups: groups)
        features = try graph.activation(.relu, try addNorm(norm, features))
        guard isSmoothed else { return features }
        if architecture.antiAliasing == .blur {
            return try graph.blur(features, Window(size: 3, stride: geometry.stride, padding: 1))
        }
        guard geometry.stride != 1 else { return features }
        return try graph.averagePooling(
            features, Window(size: geometry.stride, stride: geometry.stride), countsPadding: false)
    }

    /// Initial weight of the last norm of a residual branch.
    private var lastNormWeight: Float { configuration.zeroInitResidual ? 0 : 1 }
}

extension Window {
    /// One that keeps the size of its input.
    static func same3x3(dilation: Int) -> Window { Window(size: 3, padding: dilation, dilation: dilation) }
}
