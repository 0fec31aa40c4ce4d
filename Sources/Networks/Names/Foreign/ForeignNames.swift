// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Classifies, by name, the tensors that a network of a configuration does not use.
package struct ForeignNames: ~Copyable {
    package enum Reading: BitwiseCopyable {
        /// A tensor without effect on features.
        case ignorable
        /// Unknown, but not a module.
        case unexpected
        /// A tensor in a module that the network does not compute.
        case foreign(ForeignKind)
    }

    private let parts: ForeignParts
    /// The number of blocks that each stage has in this network, 0 if it is not built.
    private let blockCounts: BlockCounts
    private let architecture: Architecture
    /// Whether nothing follows the stem's convolutions, and nothing the last stage.
    private let isStemAlone: Bool
    private let hasPooled: Bool
    /// Whether the file's first convolution is 3x3.
    private let hasSmallStem: Bool

    /// - Parameter stemShape: Of the file's tensor with the name `stemName`, if it has one.
    package init(
        _ configuration: Configuration, stemShape: UnsafeBufferPointer<Int64>?
    ) throws(BackboneError) {
        let parts = try ForeignParts()
        var counts = BlockCounts(repeating: 0)
        architecture = configuration.architecture
        for stage in 0..<configuration.deepestStage { counts[stage] = architecture.blockCounts[stage] }
        blockCounts = counts
        isStemAlone = configuration.deepestStage == 0
        hasPooled = configuration.outputs.hasPooled || configuration.outputs.hasLogits
        hasSmallStem = stemShape.map { $0.count == 4 && $0[2] == 3 } ?? false
        self.parts = parts
    }

    private var hasDeepStem: Bool { architecture.stem.isDeep }
    private var averagesShortcuts: Bool { architecture.shortcut == .average }

    private func hasThirdConvolution(stage: Int) -> Bool { architecture.blocks[stage - 1] == .bottleneck }

    /// Our name of the first convolution's weight.
    package static var stemName: StaticString { "conv1.weight" }

    /// - Parameters:
    ///   - name: Our name, or the file's if it has no other.
    ///   - rank: Dimensions of the tensor.
    package func read(_ name: Bytes, rank: Int) -> Reading {
        if Self.isHead(name) || isCounter(name) || isUnbuilt(name) { return .ignorable }
        // A name below that of a parameter, such as a part of its storage, is not a module.
        if isBelowParameter(name) { return .unexpected }
        return kind(of: name, rank: rank).map { .foreign($0) } ?? .unexpected
    }

    /// Whether a name is that of a classifier, which the backbone does not need.
    private static func isHead(_ name: Bytes) -> Bool { name.hasPrefix("fc.") || name.hasPrefix("head.fc.") }

    /// Whether a name is that of a bias of one of the network's convolutions that have none.
    package func isBias(_ name: Bytes) -> Bool { partInConvolution(name).map { equal($0, "bias") } ?? false }

    /// The part of a name inside one of the network's convolutions, whatever the block: "weight"; nil for other names.
    private func partInConvolution(_ name: Bytes) -> Bytes? {
        var reader = NameReader(name)
        if let place = BlockName(name) {
            reader = NameReader(place.rest)
            let isConvolution =
                reader.take("conv1.") || reader.take("conv2.")
                || hasThirdConvolution(stage: place.stage) && reader.take("conv3.")
                || reader.take(shortcutName)
            return isConvolution ? reader.rest : nil
        }
        if architecture.isPreactivation {
            guard reader.take("stem.conv") else { return nil }
            let isConvolution =
                hasDeepStem ? reader.take("1.") || reader.take("2.") || reader.take("3.") : reader.take(".")
            return isConvolution ? reader.rest : nil
        }
        guard reader.take("conv1.") else { return nil }
        if hasDeepStem && !(reader.take("0.") || reader.take("3.") || reader.take("6.")) { return nil }
        return reader.rest
    }

    /// The name of a shortcut's convolution in a block.
    private var shortcutName: StaticString {
        architecture.isPreactivation ? "downsample.conv." : averagesShortcuts ? "downsample.1." : "downsample.0."
    }

    /// Counters that profilers add to every module.
    private func isCounter(_ name: Bytes) -> Bool {
        name.hasSuffix("total_ops") || name.hasSuffix("total_params")
    }

    /// Whether a part before the last has the name of a parameter or a statistic; parametrised ones are modules of that
    /// name.
    private func isBelowParameter(_ name: Bytes) -> Bool {
        var rest = name
        var isParametrized = false
        while !rest.isEmpty {
            let part = rest.takePart(before: UInt8(ascii: "."))
            let isValue =
                equal(part, "weight") || equal(part, "bias") || equal(part, "running_mean")
                || equal(part, "running_var") || equal(part, "num_batches_tracked")
            if isValue && !rest.isEmpty && !isParametrized { return true }
            isParametrized = equal(part, "parametrizations")
        }
        return false
    }

    /// Whether a name belongs to a part of the architecture after all outputs of this network.
    private func isUnbuilt(_ name: Bytes) -> Bool {
        if isStemAlone && architecture.pooling == .convolution && name.hasPrefix("maxpool.") { return true }
        if !hasPooled && architecture.isPreactivation && name.hasPrefix("norm.") { return true }
        return StageName(name).map { blockCounts[$0.stage - 1] == 0 } ?? false
    }

    /// The kind of a module by one of its names; nil if it is neither in the stem nor in a stage.
    private func kind(of name: Bytes, rank: Int) -> ForeignKind? {
        if var place = StageName(name) {
            guard place.isPreactivation == architecture.isPreactivation else {
                return place.isPreactivation ? .preactivation : .postactivation
            }
            guard let block = place.takeBlock() else { return named(place.rest) ?? .unknown }
            if block >= blockCounts[place.stage - 1] { return .moreBlocks }
            return kind(inBlock: name, stage: place.stage, place.rest, rank: rank)
        }
        var reader = NameReader(name)
        if architecture.isPreactivation && reader.take("stem.") { return kind(inStem: name, reader.rest) }
        if reader.take("conv1.") { return kind(inStem: name, reader.rest) }
        if reader.take("bn1.") { return named(reader.rest) ?? .unknown }
        if reader.take("stem.") || reader.take("layer0.") { return named(reader.rest) ?? .otherStem }
        if reader.take("maxpool.") { return named(reader.rest) ?? .unknown }
        // CLIP's deep stem has no module of its own. After a 7x7 they belong to a head.
        if hasSmallStem && (reader.take("conv2.") || reader.take("conv3.")) { return .otherStem }
        // Outside of the stem and the stages only known modules between them: heads have names of all kinds.
        return parts.kind(of: firstPart(of: name))
    }

    /// - Parameter rest: The part after "conv1.".
    private func kind(inStem name: Bytes, _ rest: Bytes) -> ForeignKind {
        if let kind = partInConvolution(name).flatMap({ kind(inConvolution: $0) }) { return kind }
        if hasDeepStem {
            let isSingle = equal(rest, "weight") || equal(rest, "bias")
            return isSingle ? .singleStem : named(rest) ?? .unknown
        }
        if rest.hasPrefix("conv1_") { return .otherStem }
        return isNumber(firstPart(of: rest)) ? .deepStem : .unknown
    }

    /// - Parameter rest: The part after the number of the block.
    private func kind(inBlock name: Bytes, stage: Int, _ rest: Bytes, rank: Int) -> ForeignKind {
        if let part = partInConvolution(name) { return kind(inConvolution: part) ?? splitAttention(part) ?? .unknown }
        if let known = named(rest) { return known }
        var reader = NameReader(rest)
        if reader.take("downsample.") {
            // A norm, of one dimension, only shows that this network has no shortcut in this block.
            if averagesShortcuts { return rank > 1 && reader.take("0.") ? .plainShortcut : .unknown }
            let isPooled = rank > 1 && reader.take("1.") || reader.take("2.") || reader.take("3.")
            return isPooled ? .averageShortcut : .unknown
        }
        if !hasThirdConvolution(stage: stage) && (reader.take("conv3.") || reader.take("bn3.")) {
            return .thirdConvolution
        }
        return .unknown
    }

    /// The kind of a module inside a convolution; nil if it is not known.
    private func kind(inConvolution part: Bytes) -> ForeignKind? {
        if equal(part, "bias") { return .bias }
        if let known = named(part) { return known }
        return part.hasPrefix("parametrizations.") || part.hasPrefix("weight_") ? .parametrisation : nil
    }

    /// ResNeSt's modules, which replace a convolution.
    private func splitAttention(_ part: Bytes) -> ForeignKind? {
        let first = firstPart(of: part)
        return equal(first, "conv") || equal(first, "bn0") || equal(first, "fc1") || equal(first, "radix")
            ? .splitAttention : nil
    }

    /// The kind of any part of a name.
    private func named(_ name: Bytes) -> ForeignKind? {
        // timm's modules are all called `se`.
        if name.hasPrefix("se.conv.") { return parts.kind(of: bytes(of: "eca")) }
        var rest = name
        while !rest.isEmpty {
            if let kind = parts.kind(of: rest.takePart(before: UInt8(ascii: "."))) { return kind }
        }
        return nil
    }

    private func firstPart(of name: Bytes) -> Bytes {
        var rest = name
        return rest.takePart(before: UInt8(ascii: "."))
    }

    private func isNumber(_ part: Bytes) -> Bool {
        for byte in part where byte < UInt8(ascii: "0") || byte > UInt8(ascii: "9") { return false }
        return !part.isEmpty
    }
}
