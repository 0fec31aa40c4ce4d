// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Lists the units, blocks and state dict entries of a configuration.
struct NetworkBuilder: ~Copyable {
    private(set) var units = UniqueArray<ConvolutionUnit>()
    private var blocks = UniqueArray<ResidualBlock>()
    private var entries = UniqueArray<StateEntry>()
    private var text = UniqueArray<UInt8>()
    private var sizes = UniqueArray<Int64>()
    private var nextValue = 0

    struct Parts: ~Copyable {
        let units: UniqueArray<ConvolutionUnit>
        let blocks: UniqueArray<ResidualBlock>
        let entries: UniqueArray<StateEntry>
        let text: UniqueArray<UInt8>
        let sizes: UniqueArray<Int64>
    }

    consuming func finish() -> Parts {
        Parts(units: units, blocks: blocks, entries: entries, text: text, sizes: sizes)
    }

    mutating func build(_ configuration: Configuration) throws(BackboneError) {
        try addUnit(
            Place(stage: 0), convolution: "conv1", norm: "bn1", from: configuration.inChannels,
            to: configuration.baseChannels, kernelSize: 7, stride: 2, padding: 3)
        var channels = configuration.baseChannels
        for stage in 1...configuration.outStages.deepest {
            let count = configuration.depth.blockCount(stage: stage)
            for block in 0..<count {
                try addBlock(
                    configuration, Place(stage: stage, block: block), from: channels, endsStage: block == count - 1)
                channels = configuration.outputChannels(stage: stage)
            }
        }
    }

    /// Where in the tree of modules a unit stands.
    private struct Place {
        let stage: Int
        var block = 0
    }

    private mutating func addBlock(
        _ configuration: Configuration, _ place: Place, from inputChannels: Int, endsStage: Bool
    ) throws(BackboneError) {
        let kind = configuration.depth.blockKind
        let width = configuration.width(stage: place.stage)
        let outputChannels = width * kind.expansion
        let stride = place.block == 0 && place.stage > 1 ? 2 : 1
        let firstUnit = units.count
        switch kind {
        case .basic:
            try addUnit(
                place, convolution: "conv1", norm: "bn1", from: inputChannels, to: width, kernelSize: 3, stride: stride,
                padding: 1)
            try addUnit(
                place, convolution: "conv2", norm: "bn2", from: width, to: width, kernelSize: 3, padding: 1,
                endsResidualBranch: true)
        case .bottleneck:
            let isCaffe = configuration.style == .caffe
            try addUnit(
                place, convolution: "conv1", norm: "bn1", from: inputChannels, to: width, kernelSize: 1,
                stride: isCaffe ? stride : 1)
            try addUnit(
                place, convolution: "conv2", norm: "bn2", from: width, to: width, kernelSize: 3,
                stride: isCaffe ? 1 : stride, padding: 1)
            try addUnit(
                place, convolution: "conv3", norm: "bn3", from: width, to: outputChannels, kernelSize: 1,
                endsResidualBranch: true)
        }
        let hasDownsample = stride != 1 || inputChannels != outputChannels
        if hasDownsample {
            try addUnit(
                place, convolution: "downsample.0", norm: "downsample.1", from: inputChannels, to: outputChannels,
                kernelSize: 1, stride: stride)
        }
        try blocks.append(
            ResidualBlock(
                stage: place.stage, firstUnit: firstUnit, convolutionCount: kind.convolutionCount,
                hasDownsample: hasDownsample, endsStage: endsStage))
    }

    private mutating func addUnit(
        _ place: Place, convolution: StaticString, norm: StaticString, from inputChannels: Int, to outputChannels: Int,
        kernelSize: Int, stride: Int = 1, padding: Int = 0, endsResidualBranch: Bool = false
    ) throws(BackboneError) {
        let unit = ConvolutionUnit(
            stage: place.stage, inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: kernelSize,
            stride: stride, padding: padding, endsResidualBranch: endsResidualBranch, valueOffset: nextValue)
        try units.append(unit)
        nextValue += unit.valueCount
        let (output, size) = (Int64(outputChannels), Int64(kernelSize))
        try addEntry(
            .convolutionWeight, place, convolution, ".weight", dimensions: 4,
            shape: (output, Int64(inputChannels), size, size))
        try addEntry(.normWeight, place, norm, ".weight", dimensions: 1, shape: (output, 1, 1, 1))
        try addEntry(.normBias, place, norm, ".bias", dimensions: 1, shape: (output, 1, 1, 1))
        try addEntry(.runningMean, place, norm, ".running_mean", dimensions: 1, shape: (output, 1, 1, 1))
        try addEntry(.runningVar, place, norm, ".running_var", dimensions: 1, shape: (output, 1, 1, 1))
        try addEntry(.batchesTracked, place, norm, ".num_batches_tracked", dimensions: 0, shape: (1, 1, 1, 1))
    }

    /// Adds an entry of the unit that was added last.
    private mutating func addEntry(
        _ role: StateEntry.Role, _ place: Place, _ module: StaticString, _ suffix: StaticString, dimensions: Int,
        shape: (Int64, Int64, Int64, Int64)
    ) throws(BackboneError) {
        var name = Message()
        if place.stage > 0 { name = "layer\(place.stage).\(place.block)." }
        name.append(module)
        name.append(suffix)
        let offset = text.count
        for index in 0..<name.count { try text.append(name[index]) }
        try text.append(0)
        let shapeOffset = sizes.count
        try sizes.append(shape.0)
        try sizes.append(shape.1)
        try sizes.append(shape.2)
        try sizes.append(shape.3)
        try entries.append(
            StateEntry(
                role: role, unit: units.count - 1, nameOffset: offset, nameCount: name.count, dimensions: dimensions,
                shape: shape, shapeOffset: shapeOffset))
    }
}
