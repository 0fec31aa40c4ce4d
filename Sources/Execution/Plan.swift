// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// What has to be done, in which order and in which memory, to compute the features of images of one size.
///
/// It depends on the network's layers, the kernels, the size of the image and whether BatchNorms use the statistics of the
/// batch: never on weights, the number of threads or the number of images.
package struct Plan: ~Copyable {
    package let height: Int
    package let width: Int
    /// Whether sums are computed where one of their terms stands, the residual. A BatchNorm that needs the convolution's
    /// output as it is does not allow that.
    package let addsInPlace: Bool
    package internal(set) var tensors = UniqueArray<PlanTensor>()
    package private(set) var steps = UniqueArray<PlanStep>()
    /// All steps, in order.
    package internal(set) var sections = UniqueArray<PlanSection>()
    /// Of all sections in bands.
    var bands = UniqueArray<BandStep>()

    /// Floats that the tensors of one image take up together; tensors that are never needed at the same time share them.
    package private(set) var activationCount = 0
    /// The most of them that images take up together, unless a single one takes more.
    private let batchFloats: Int

    /// - Throws: `invalidArgument` where the image is too large to be addressed, `outOfMemory`.
    package init(
        _ network: borrowing Network, _ planner: Planner, height: Int, width: Int, addsInPlace: Bool
    ) throws(BackboneError) {
        self.height = height
        self.width = width
        self.addsInPlace = addsInPlace
        batchFloats = planner.batchFloats
        var pieces = UniqueArray<PlanPiece>()
        try pieces.append(PlanPiece(firstStep: 0, stage: 0))
        var features = try addStem(network, planner)
        for block in 0..<network.blocks.count {
            try pieces.append(PlanPiece(firstStep: steps.count, stage: network.blocks[block].stage))
            features = try addBlock(network, planner, block, input: features)
        }
        try addSections(network, pieces, planner)
        var memory = PlanMemory()
        activationCount = try memory.place(&tensors, steps, sections)
    }

    /// How many of `count` images are given memory at the same time: as equal shares as possible of what fits.
    func imagesTogether(of count: Int) -> Int {
        let fitting = max(1, batchFloats / activationCount)
        let passes = (count - 1) / fitting + 1
        return (count - 1) / passes + 1
    }
}

/// The activations between two steps of a plan, as they lie in memory for each image.
package struct PlanTensor: BitwiseCopyable {
    package let height: Int
    package let width: Int
    package let channels: Int
    /// Zero pixels around the image: as many as the widest padding of the convolutions that read it.
    package let border: Int
    /// Rows that are kept at a time: all of them with the border, or, of what is used within one section in bands alone, so
    /// many that what is still to be read is there.
    private(set) var keptRows: Int
    /// Floats of all rows, with the border.
    let wholeFloatCount: Int
    /// Floats of the rows that are kept, rounded up so that the next tensor is aligned.
    package private(set) var floatCount: Int
    /// Where it begins in the activations of one image.
    package var offset = 0

    fileprivate init(height: Int, width: Int, channels: Int, border: Int) throws(BackboneError) {
        let pixels = checkedProduct(checkedSum(height, 2 * border), checkedSum(width, 2 * border))
        guard let count = checkedProduct(pixels, channels), let aligned = Heap.aligned(count, Float.self) else {
            throw BackboneError(.invalidArgument, "input is too large: \(channels) x \(height) x \(width) activations")
        }
        self.height = height
        self.width = width
        self.channels = channels
        self.border = border
        keptRows = height + 2 * border
        wholeFloatCount = count
        floatCount = aligned
    }

    /// The first of the rows that are kept when nothing has been computed yet.
    var firstRow: Int { -border }

    /// Keeps no more than so many rows at a time.
    mutating func keep(rows: Int) {
        guard rows < keptRows, let aligned = Heap.aligned(rows * (width + 2 * border) * channels, Float.self) else {
            return
        }
        keptRows = rows
        floatCount = aligned
    }
}

/// A convolution with its BatchNorm, the residual sum and the ReLU, if any. `from`, `to` and `residual` are tensors.
package struct ConvolutionStep: BitwiseCopyable {
    /// The network's.
    package let unit: Int
    package let algorithm: ConvolutionAlgorithm
    package let from: Int
    package let to: Int
    package let residual: Int?
    package let relu: Bool
}

/// One step of a plan. Numbers are indices of tensors, but for `stage` (1 to 4).
package enum PlanStep: BitwiseCopyable {
    /// Converts the caller's image.
    case input(to: Int)
    case convolution(ConvolutionStep)
    case maxPooling(from: Int, to: Int)
    /// Copies the features of a stage to the caller.
    case output(stage: Int, from: Int)
}

/// The max pooling behind the stem: 3x3, stride 2, padding 1.
package enum StemPooling {
    package static var kernelSize: Int { 3 }
    package static var stride: Int { 2 }
    package static var padding: Int { 1 }

    /// Size of the output for a size of the input.
    package static func outputSize(_ size: Int) -> Int { (size + 2 * padding - kernelSize) / stride + 1 }
}

extension ConvolutionShape {
    /// The geometry of a network's unit on an image of some size.
    package init(_ unit: ConvolutionUnit, height: Int, width: Int) {
        self.init(
            inputChannels: unit.inputChannels, outputChannels: unit.outputChannels, kernelSize: unit.kernelSize,
            stride: unit.stride, padding: unit.padding, inputHeight: height, inputWidth: width)
    }
}

// MARK: - Listing the steps

extension Plan {
    private mutating func addTensor(
        height: Int, width: Int, channels: Int, border: Int
    ) throws(BackboneError) -> Int {
        try tensors.append(PlanTensor(height: height, width: width, channels: channels, border: border))
        return tensors.count - 1
    }

    /// Returns the tensor of the stem's features.
    private mutating func addStem(_ network: borrowing Network, _ planner: Planner) throws(BackboneError) -> Int {
        let stem = network.units[0]
        let input = try addTensor(height: height, width: width, channels: stem.inputChannels, border: stem.padding)
        try steps.append(.input(to: input))
        let features = try addConvolution(
            network, planner, unit: 0, from: input, residual: nil, relu: true, border: 0)
        let pooled = try addTensor(
            height: StemPooling.outputSize(tensors[features].height),
            width: StemPooling.outputSize(tensors[features].width), channels: stem.outputChannels,
            border: network.borderWanted(byBlock: 0))
        try steps.append(.maxPooling(from: features, to: pooled))
        return pooled
    }

    /// Adds a convolution and returns the tensor of its output: the residual's where it may stand there, else one of its own.
    private mutating func addConvolution(
        _ network: borrowing Network, _ planner: Planner, unit index: Int, from input: Int, residual: Int?, relu: Bool,
        border: Int
    ) throws(BackboneError) -> Int {
        let unit = network.units[index]
        let shape = ConvolutionShape(unit, height: tensors[input].height, width: tensors[input].width)
        let output: Int
        if addsInPlace, let residual, tensors[residual].border == border {
            output = residual
        } else {
            output = try addTensor(
                height: shape.outputHeight, width: shape.outputWidth, channels: unit.outputChannels, border: border)
        }
        try steps.append(
            .convolution(
                ConvolutionStep(
                    unit: index, algorithm: planner.algorithm(for: shape), from: input, to: output, residual: residual,
                    relu: relu)))
        return output
    }

    /// Returns the tensor of the block's features.
    private mutating func addBlock(
        _ network: borrowing Network, _ planner: Planner, _ index: Int, input: Int
    ) throws(BackboneError) -> Int {
        let block = network.blocks[index]
        var shortcut = input
        if let unit = block.downsampleUnit {
            shortcut = try addConvolution(
                network, planner, unit: unit, from: input, residual: nil, relu: false, border: 0)
        }
        var branch = input
        let lastUnit = block.firstUnit + block.convolutionCount - 1
        for unit in block.firstUnit..<lastUnit {
            branch = try addConvolution(
                network, planner, unit: unit, from: branch, residual: nil, relu: true,
                border: network.units[unit + 1].padding)
        }
        let output = try addConvolution(
            network, planner, unit: lastUnit, from: branch, residual: shortcut, relu: true,
            border: network.borderWanted(byBlock: index + 1))
        if block.endsStage && network.configuration.outStages.contains(block.stage) {
            try steps.append(.output(stage: block.stage, from: output))
        }
        return output
    }
}

extension Network {
    /// The border that a block's input needs; none behind the last block. The projection shortcut is not padded.
    fileprivate borrowing func borderWanted(byBlock index: Int) -> Int {
        index < blocks.count ? units[blocks[index].firstUnit].padding : 0
    }
}
