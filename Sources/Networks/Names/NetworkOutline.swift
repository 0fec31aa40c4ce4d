// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The network of a state dict, as far as our names and its shapes show.
package struct NetworkOutline: BitwiseCopyable {
    private(set) var stages = InlineArray<4, StageOutline>(repeating: StageOutline())
    private(set) var stem = StemOutline()
    /// The number of tensors of the stem and of blocks.
    private(set) var tensorCount = 0
    /// Whether the names are those of pre-activation networks; nil without blocks.
    private(set) var isPreactivation: Bool?
    /// Whether blocks begin with a norm, as those of pre-activation networks do.
    private(set) var hasFirstNorms = false
    private var fc: HeadOutline?
    private var headFC: HeadOutline?
    /// Whether it has any running_mean or running_var.
    package private(set) var hasStatistics = false
    /// Whether it has any norms.
    package private(set) var hasNorms = false
    /// Whether it has any under this network's names.
    private var hasUsualNorms = false
    /// Whether any BatchNorm counts batches, as PyTorch's do since 0.4.1 and FrozenBatchNorms do not.
    package private(set) var hasCounts = false
    /// Whether norms without statistics are BatchNorms that were folded, as the file's writer does.
    package var foldsStatistics = false

    package init() {}

    /// Adds a tensor, and returns whether it belongs to the stem or to a block.
    package mutating func note(_ name: Bytes, shape: UnsafeBufferPointer<Int64>) -> Bool {
        if let place = BlockName(name) {
            isPreactivation = place.isPreactivation
            if place.rest.hasPrefix("norm1.") { hasFirstNorms = true }
            stages[place.stage - 1].note(place, shape)
        } else if !stem.note(name, shape) {
            guard name.hasPrefix("norm.") else {
                noteHead(name, shape)
                return false
            }
        }
        tensorCount += 1
        if name.hasSuffix(".running_mean") || name.hasSuffix(".running_var") { hasStatistics = true }
        if name.hasSuffix(".num_batches_tracked") { hasCounts = true }
        if shape.count == 1 && name.hasSuffix(".weight") {
            hasNorms = true
            // Not "gn1", which is a module of another network.
            if name.hasSuffix("bn1.weight") || name.hasSuffix("norm1.weight") { hasUsualNorms = true }
        }
        return true
    }

    private mutating func noteHead(_ name: Bytes, _ shape: UnsafeBufferPointer<Int64>) {
        guard shape.count >= 2 else { return }
        if equal(name, "fc.weight") { fc = HeadOutline(classes: shape[0], inputs: shape[1]) }
        if equal(name, "head.fc.weight") { headFC = HeadOutline(classes: shape[0], inputs: shape[1]) }
    }

    /// The head under its name in such a network; nil without one.
    private var head: HeadOutline? { isPreactivation == true ? headFC : fc }

    /// Classes of the head; nil without one.
    package var classes: Int64? { head?.classes }

    /// Input channels of the head.
    var headInputs: Int64? { head?.inputs }

    /// The kind of the norms, as far as the file shows.
    var norm: Architecture.Norm { hasUsualNorms && !hasStatistics && !foldsStatistics ? .group : .batch }

    /// Whether a name is that of a convolution's weight, or of a tensor that it is computed from.
    static func isWeight(_ name: Bytes, of convolution: StaticString) -> Bool {
        var reader = NameReader(name)
        return reader.take(convolution) && (reader.take("weight") || reader.take("parametrizations.weight."))
    }
}

/// The outline of a classifier.
private struct HeadOutline: BitwiseCopyable {
    let classes: Int64
    let inputs: Int64
}

/// The outline of a stage. Channels are 0 if unknown.
struct StageOutline: BitwiseCopyable {
    private(set) var blockCount = 0
    /// Whether blocks have a third convolution.
    private(set) var hasThird = false
    /// Channels of the first block: inputs and outputs of its first convolution, inputs of each group and outputs of
    /// the second one, and outputs of the last.
    private(set) var inputs: Int64 = 0
    private(set) var firstWidth: Int64 = 0
    private(set) var groupWidth: Int64 = 0
    private(set) var secondWidth: Int64 = 0
    private(set) var thirdWidth: Int64 = 0
    /// The size of the projection; 0 without one.
    private(set) var projectionSize: Int64 = 0
    /// Whether a pooling precedes the projection.
    private(set) var isPooled = false
    /// Whether later blocks have projections as well.
    private(set) var projectsLater = false
    /// Channels of the first block's squeeze, and the size of its ECA.
    private(set) var squeezed: Int64 = 0
    private(set) var gateSize: Int64 = 0

    /// Output channels of the first block.
    var outputs: Int64 { hasThird ? thirdWidth : secondWidth }

    mutating func note(_ place: BlockName, _ shape: UnsafeBufferPointer<Int64>) {
        blockCount = max(blockCount, place.block + 1)
        if place.rest.hasPrefix("conv3.") { hasThird = true }
        if shape.count == 4 { noteConvolution(place, shape) }
        if shape.count == 3, place.block == 0, NetworkOutline.isWeight(place.rest, of: "se.conv.") {
            gateSize = shape[2]
        }
    }

    private mutating func noteConvolution(_ place: BlockName, _ shape: UnsafeBufferPointer<Int64>) {
        func isWeight(_ convolution: StaticString) -> Bool { NetworkOutline.isWeight(place.rest, of: convolution) }
        // With the pooling before it, the projection is the second of its modules.
        let pooled = isWeight("downsample.1.")
        if pooled || isWeight("downsample.0.") || isWeight("downsample.conv.") {
            if place.block > 0 { projectsLater = true }
            projectionSize = max(projectionSize, shape[2])
            if pooled { isPooled = true }
        }
        guard place.block == 0 else { return }
        if isWeight("conv1.") { (firstWidth, inputs) = (shape[0], shape[1]) }
        if isWeight("conv2.") { (secondWidth, groupWidth) = (shape[0], shape[1]) }
        if isWeight("conv3.") { thirdWidth = shape[0] }
        if isWeight("se.fc1.") { squeezed = shape[0] }
    }
}

/// The outline of a stem.
struct StemOutline: BitwiseCopyable {
    /// Output channels of each convolution; a single one has the last number; 0 for missing ones.
    private(set) var widths: (Int64, Int64, Int64) = (0, 0, 0)
    private(set) var isDeep = false
    private(set) var inputs: Int64 = 0
    /// Size of the first convolution.
    private(set) var size: Int64 = 0
    /// Whether a convolution replaces the pooling.
    private(set) var hasPoolingConvolution = false

    /// Adds a tensor of the stem; false for others.
    mutating func note(_ name: Bytes, _ shape: UnsafeBufferPointer<Int64>) -> Bool {
        if let index = StemOutline.convolution(name) {
            if shape.count == 4 { note(index, shape) }
            return true
        }
        if name.hasPrefix("maxpool.0.") || name.hasPrefix("maxpool.1.") {
            if shape.count == 4 { hasPoolingConvolution = true }
            return true
        }
        return name.hasPrefix("bn1.") || name.hasPrefix("stem.norm") || name.hasPrefix("conv1.1.")
            || name.hasPrefix("conv1.4.")
    }

    private mutating func note(_ index: Int, _ shape: UnsafeBufferPointer<Int64>) {
        switch index {
        case 0: widths.0 = shape[0]
        case 1: widths.1 = shape[0]
        default: widths.2 = shape[0]
        }
        if index < 2 { isDeep = true }
        if index != 1 && (index == 0 || !isDeep) { (inputs, size) = (shape[1], shape[2]) }
    }

    /// Which convolution of a stem a name belongs to: 0 to 2 of a deep one, 2 as well for a single one; nil for other names.
    static func convolution(_ name: Bytes) -> Int? {
        func isIn(_ convolution: StaticString) -> Bool { NetworkOutline.isWeight(name, of: convolution) }
        if isIn("conv1.0.") || isIn("stem.conv1.") { return 0 }
        if isIn("conv1.3.") || isIn("stem.conv2.") { return 1 }
        if isIn("conv1.6.") || isIn("stem.conv3.") { return 2 }
        return isIn("conv1.") || isIn("stem.conv.") ? 2 : nil
    }

    var isKnown: Bool { isDeep ? widths.0 > 0 && widths.1 > 0 && widths.2 > 0 : widths.2 > 0 }
}
