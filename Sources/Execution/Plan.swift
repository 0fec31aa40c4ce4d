// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// What has to be done, in which order and in which memory, to compute the features of images of one size.
///
/// It depends on the network's layers and the size of the image alone: never on weights, modes, the number of threads or
/// the number of images.
package struct Plan: ~Copyable {
    package let height: Int
    package let width: Int
    package private(set) var tensors = UniqueArray<PlanTensor>()
    package private(set) var steps = UniqueArray<PlanStep>()

    /// Floats that the tensors of one image take up together; tensors that are never needed at the same time share them.
    package private(set) var activationCount = 0

    /// - Throws: `invalidArgument` where the image is too large to be addressed, `outOfMemory`.
    package init(_ network: borrowing Network, height: Int, width: Int) throws(BackboneError) {
        self.height = height
        self.width = width
        try addStem(network)
        for block in 0..<network.blocks.count { try addBlock(network, block) }
        var memory = PlanMemory()
        activationCount = try memory.place(&tensors, steps)
    }
}

/// The activations between two steps of a plan, as they lie in memory for each image.
package struct PlanTensor: BitwiseCopyable {
    package let height: Int
    package let width: Int
    package let channels: Int
    /// Zero pixels around the image: as many as the widest padding of the convolutions that read it.
    package let border: Int
    /// Floats with the border, rounded up so that the next tensor is aligned.
    package let floatCount: Int
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
        floatCount = aligned
    }
}

/// One step of a plan. Numbers are indices of tensors, but for `unit` (of the network) and `stage` (1 to 4).
package enum PlanStep: BitwiseCopyable {
    /// Converts the caller's image.
    case input(to: Int)
    /// A convolution with its BatchNorm, the residual sum and the ReLU, if any.
    case convolution(unit: Int, from: Int, to: Int, residual: Int?, relu: Bool)
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
    private var lastTensor: Int { tensors.count - 1 }

    private mutating func addTensor(
        height: Int, width: Int, channels: Int, border: Int
    ) throws(BackboneError) -> Int {
        try tensors.append(PlanTensor(height: height, width: width, channels: channels, border: border))
        return lastTensor
    }

    private mutating func addStem(_ network: borrowing Network) throws(BackboneError) {
        let stem = network.units[0]
        let input = try addTensor(height: height, width: width, channels: stem.inputChannels, border: stem.padding)
        try steps.append(.input(to: input))
        let features = try addConvolution(network, unit: 0, from: input, residual: nil, relu: true, border: 0)
        let pooled = try addTensor(
            height: StemPooling.outputSize(tensors[features].height),
            width: StemPooling.outputSize(tensors[features].width), channels: stem.outputChannels,
            border: network.borderWanted(byBlock: 0))
        try steps.append(.maxPooling(from: features, to: pooled))
    }

    /// Adds a convolution whose output is a tensor of its own, and returns that tensor.
    private mutating func addConvolution(
        _ network: borrowing Network, unit index: Int, from input: Int, residual: Int?, relu: Bool, border: Int
    ) throws(BackboneError) -> Int {
        let unit = network.units[index]
        let shape = ConvolutionShape(unit, height: tensors[input].height, width: tensors[input].width)
        let output = try addTensor(
            height: shape.outputHeight, width: shape.outputWidth, channels: unit.outputChannels, border: border)
        try steps.append(.convolution(unit: index, from: input, to: output, residual: residual, relu: relu))
        return output
    }

    /// The block reads the tensor that was added last.
    private mutating func addBlock(_ network: borrowing Network, _ index: Int) throws(BackboneError) {
        let block = network.blocks[index]
        let input = lastTensor
        var shortcut = input
        if let unit = block.downsampleUnit {
            shortcut = try addConvolution(network, unit: unit, from: input, residual: nil, relu: false, border: 0)
        }
        var branch = input
        let lastUnit = block.firstUnit + block.convolutionCount - 1
        for unit in block.firstUnit..<lastUnit {
            branch = try addConvolution(
                network, unit: unit, from: branch, residual: nil, relu: true, border: network.units[unit + 1].padding)
        }
        let output = try addConvolution(
            network, unit: lastUnit, from: branch, residual: shortcut, relu: true,
            border: network.borderWanted(byBlock: index + 1))
        if block.endsStage && network.configuration.outStages.contains(block.stage) {
            try steps.append(.output(stage: block.stage, from: output))
        }
    }
}

extension Network {
    /// The border that a block's input needs; none behind the last block. The projection shortcut is not padded.
    fileprivate borrowing func borderWanted(byBlock index: Int) -> Int {
        index < blocks.count ? units[blocks[index].firstUnit].padding : 0
    }
}
