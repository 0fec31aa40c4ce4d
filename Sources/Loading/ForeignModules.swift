// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Checkpoints
import Networks
import Runtime

/// Looks for modules inside the stem or the blocks of a file's network that this network does not compute. With them the
/// file's features are of another network, whatever of it fits.
struct ForeignModules: ~Copyable {
    /// A kind of module that was found: the first tensor of it, and how many there are.
    struct Finding: BitwiseCopyable {
        let kind: ForeignKind
        let tensor: Int
        var count: Int
    }

    /// The most certain one; nil if there is none.
    private(set) var finding: Finding?
    private let parts: ForeignParts
    /// For each tensor of the file whether it is a bias of zeros.
    private let isZeroBias: UniqueArray<Bool>
    /// The number of blocks that each stage has in this network, 0 if it is not built.
    private let blockCounts: [4 of Int]
    private let hasThirdConvolution: Bool
    /// Whether the file's first convolution is 3x3.
    private let hasSmallStem: Bool

    /// - Throws: what reading biases throws.
    init(_ stateDict: borrowing StateDict, _ configuration: Configuration) throws(BackboneError) {
        let isZeroBias = try ForeignModules.findZeroBiases(stateDict)
        let parts = try ForeignParts()
        var counts: [4 of Int] = .init(repeating: 0)
        for stage in 1...configuration.outStages.deepest {
            counts[stage - 1] = configuration.depth.blockCount(stage: stage)
        }
        blockCounts = counts
        hasThirdConvolution = configuration.depth.blockKind == .bottleneck
        let stem = stateDict.find(bytes(of: "conv1.weight")).map { stateDict.shape($0) }
        hasSmallStem = stem.map { $0.count == 4 && $0[2] == 3 } ?? false
        self.isZeroBias = isZeroBias
        self.parts = parts
    }

    // MARK: - Classifying

    /// The class of a tensor that nothing is loaded from.
    mutating func classify(
        _ index: Int, _ stateDict: borrowing StateDict
    ) throws(BackboneError) -> LoadReport.NameClass {
        let fileName = stateDict.nameInFile(index)
        let name = stateDict.name(index) ?? fileName
        if name.hasPrefix("fc.") || ForeignModules.isCounter(name) || isZeroBias[index] { return .ignorable }
        if isOfUnbuiltStage(name) { return .ignorable }
        // What is called after a parameter, as a part of the same storage may be, is not a module.
        if ForeignModules.isBelowParameter(name) { return .unexpected }
        if let kind = kind(of: name, rank: stateDict.shape(index).count) { note(kind, index) }
        return .unexpected
    }

    private mutating func note(_ kind: ForeignKind, _ index: Int) {
        guard let found = finding else {
            finding = Finding(kind: kind, tensor: index, count: 1)
            return
        }
        if kind.isCertain && !found.kind.isCertain {
            finding = Finding(kind: kind, tensor: index, count: 1)
        } else if equal(kind.words, found.kind.words) {
            finding?.count += 1
        }
    }

    /// What profilers leave behind in every module.
    private static func isCounter(_ name: Bytes) -> Bool {
        name.hasSuffix("total_ops") || name.hasSuffix("total_params")
    }

    /// Whether a part before the last is called as a parameter or a statistic; parametrised ones are modules by that name.
    private static func isBelowParameter(_ name: Bytes) -> Bool {
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

    private func isOfUnbuiltStage(_ name: Bytes) -> Bool {
        var reader = NameReader(name)
        guard reader.take("layer"), let stage = reader.number(in: 1...4), reader.take(".") else { return false }
        return blockCounts[stage - 1] == 0
    }

    /// The kind of a module by one of its names; nil if it stands neither in the stem nor in a stage.
    private func kind(of name: Bytes, rank: Int) -> ForeignKind? {
        var reader = NameReader(name)
        if reader.take("layer"), let stage = reader.number(in: 1...4), reader.take(".") {
            guard let block = reader.number(in: NameReader.blocks), reader.take(".") else {
                return named(reader.rest) ?? .unknown
            }
            if block >= blockCounts[stage - 1] { return .moreBlocks }
            return kind(inBlock: reader.rest, rank: rank)
        }
        if reader.take("conv1.") { return kind(inConvolution: reader.rest, isStem: true) ?? .unknown }
        if reader.take("bn1.") { return named(reader.rest) ?? .unknown }
        if reader.take("stem.") || reader.take("layer0.") { return named(reader.rest) ?? .deepStem }
        if reader.take("maxpool.") { return named(reader.rest) ?? .unknown }
        // CLIP's deep stem has no module of its own. Behind a 7x7 they are a head's.
        if hasSmallStem && (reader.take("conv2.") || reader.take("conv3.")) { return .deepStem }
        // Beside the stem and the stages only what is known to stand between them: heads have names of all kinds.
        return parts.kind(of: firstPart(of: name))
    }

    private func kind(inBlock name: Bytes, rank: Int) -> ForeignKind {
        var reader = NameReader(name)
        if reader.take("downsample.") {
            if let known = named(reader.rest) { return known }
            if reader.take("0."), let kind = kind(inConvolution: reader.rest, isStem: false) { return kind }
            // A plain norm is at 1: there it tells only that this network has no shortcut in this block.
            if rank > 1 && reader.take("1.") || reader.take("2.") || reader.take("3.") { return .averageShortcut }
            return .unknown
        }
        if reader.take("conv"), let number = reader.number(in: 1...9), reader.take(".") {
            if number == 3 && !hasThirdConvolution { return .thirdConvolution }
            return kind(inConvolution: reader.rest, isStem: false) ?? .unknown
        }
        if let known = named(name) { return known }
        if !hasThirdConvolution && name.hasPrefix("bn3.") { return .thirdConvolution }
        return .unknown
    }

    /// The kind of what stands inside a convolution; nil if it is not known.
    private func kind(inConvolution name: Bytes, isStem: Bool) -> ForeignKind? {
        if equal(name, "bias") { return .bias }
        if let known = named(name) { return known }
        if name.hasPrefix("parametrizations.") || name.hasPrefix("weight_") { return .parametrisation }
        if isStem { return isNumber(firstPart(of: name)) || name.hasPrefix("conv1_") ? .deepStem : nil }
        let part = firstPart(of: name)
        return equal(part, "conv") || equal(part, "bn0") || equal(part, "fc1") || equal(part, "radix")
            ? .splitAttention : nil
    }

    /// The kind that any part of a name stands for.
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
