// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension ResidualNetwork {
    /// The shortcut, which is added to a branch; nil in a plain network.
    mutating func addShortcut(
        _ input: Int, _ width: BlockWidth, _ geometry: BlockGeometry
    ) throws(BackboneError) -> Int? {
        let isIdentity = geometry.stride == 1 && graph.channels(input) == width.output
        switch architecture.shortcut {
        case .none: return nil
        case .everywhere: break
        case .projection, .average, .wide: if isIdentity { return input }
        case .subsample:
            if isIdentity { return input }
            guard graph.channels(input) <= width.output else {
                throw BackboneError(
                    .invalidArgument,
                    """
                    shortcut is 3 (subsample), which cannot go from \(graph.channels(input)) to \(width.output) \
                    channels; choose another
                    """
                )
            }
            return try graph.subsample(input, to: width.output, stride: geometry.stride)
        }
        switch architecture.shortcut {
        case .average:
            let pooled = try addShortcutPooling(input, geometry)
            let shortcut = try graph.convolution("downsample.1", pooled, to: width.output, Window(size: 1))
            return try addNorm("downsample.2", shortcut)
        case .wide where geometry.stride != 1 || geometry.laterDilation != 1:
            let window = Window(
                size: 3, stride: geometry.stride, padding: geometry.dilation, dilation: geometry.dilation)
            return try addNorm("downsample.1", try graph.convolution("downsample.0", input, to: width.output, window))
        default:
            let window = Window(size: 1, stride: geometry.stride)
            return try addNorm("downsample.1", try graph.convolution("downsample.0", input, to: width.output, window))
        }
    }

    /// The pooling before the convolution of a shortcut, in networks that have one. If a stage dilates instead of
    /// striding, timm's pooling of 2x2 keeps the size, with zeros below and on the right that count; mmdetection has no
    /// pooling.
    mutating func addShortcutPooling(_ input: Int, _ geometry: BlockGeometry) throws(BackboneError) -> Int {
        guard architecture.shortcut == .average else { return input }
        if geometry.stride != 1 {
            return try graph.averagePooling(
                input, Window(size: 2, stride: geometry.stride, roundsUp: true), countsPadding: false)
        }
        guard geometry.laterDilation > 1 && geometry.rule == .previous else { return input }
        return try graph.averagePooling(input, Window(size: 2, trailingPadding: 1), countsPadding: true)
    }
}
