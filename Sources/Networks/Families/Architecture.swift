// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The properties that distinguish the networks of the family: a row of `ArchitectureTable`, or the description of a
/// file or a caller.
package struct Architecture: BitwiseCopyable, Sendable {
    /// "resnet50"; empty for a network without a known name.
    package internal(set) var name: StaticString = ""
    /// The depth that alone describes it; 0 if none does.
    package internal(set) var depth: Int32 = 0
    /// The block of each stage.
    package internal(set) var blocks = StageBlocks(repeating: .basic)
    /// Residual blocks of each stage; 0 for stages that it does not have, which are the last ones.
    package internal(set) var blockCounts = BlockCounts(repeating: 0)
    /// Channels of each stage before expansion, in a network whose `base_channels` is 64.
    package internal(set) var planes: StageWidths = [64, 128, 256, 512]
    /// Groups of a Bottleneck's 3x3 convolution (Xie et al. 2017, arXiv:1611.05431).
    package internal(set) var cardinality = 1
    /// Width of each of its groups, for a stage of 64 channels (`width_per_group`).
    package internal(set) var baseWidth = 64
    /// The divisor of the width of a block's first convolution (SENet-154: 2).
    package internal(set) var reduction = 1
    package internal(set) var stem = Stem.single
    /// Channels of the stem, in a network whose `base_channels` is 64.
    package internal(set) var stemWidth = 64
    /// Channels of the stem, for any width; 0 if they follow from `stemWidth`.
    package internal(set) var stemChannels = 0
    package internal(set) var pooling = StemPooling.max
    package internal(set) var shortcut = Shortcut.projection
    package internal(set) var norm = Norm.batch
    package internal(set) var attention = Attention.none
    package internal(set) var antiAliasing = AntiAliasing.none
    /// Norms and activations before the convolutions (He et al. 2016, arXiv:1603.05027).
    package internal(set) var isPreactivation = false
    /// Default classes of its head.
    package internal(set) var classes = 1000

    /// The most stages after the stem: layer1 (C2) to layer4 (C5).
    package static var mostStages: Int { 4 }

    /// Its number of stages.
    package var stageCount: Int {
        var count = 0
        while count < Architecture.mostStages, blockCounts[count] > 0 { count += 1 }
        return count
    }

    /// The usual ResNet.
    package static var usual: Architecture { ArchitectureTable.network(ofDepth: 50).unsafelyUnwrapped }

    /// The network that a caller asks for by its depth or its name.
    ///
    /// - Parameters:
    ///   - depth: 0 if the name decides.
    ///   - name: Zero-terminated; nil if the depth decides. "custom" for one without a description yet.
    /// - Throws: `invalidArgument` naming the fault and the valid values.
    package init(depth: Int32, name: UnsafePointer<CChar>?) throws(BackboneError) {
        guard let name else {
            guard let architecture = ArchitectureTable.network(ofDepth: depth) else {
                throw BackboneError(.invalidArgument, "depth is \(depth), expected 18, 34, 50, 101 or 152")
            }
            self = architecture
            return
        }
        let isCustom = strcmp(name, Architecture.customName) == 0
        guard let architecture = isCustom ? Architecture() : ArchitectureTable.network(named: name) else {
            throw BackboneError(
                .invalidArgument,
                "architecture is '\(name)', expected a name such as 'resnet50'; docs/architectures.md lists all")
        }
        guard depth == 0 || depth == architecture.depth else {
            throw BackboneError(
                .invalidArgument, "depth is \(depth), but architecture is '\(name)'; set depth to 0")
        }
        self = architecture
    }

    init() {}

    /// The name of a network without a known name.
    private static var customName: UnsafePointer<CChar> { cString("custom") }

    /// The name as a C string.
    package var cName: UnsafePointer<CChar> {
        isCustom ? Architecture.customName : Architecture.cString(name)
    }

    private static func cString(_ text: StaticString) -> UnsafePointer<CChar> {
        UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
    }

    /// Pixels of the image for each pixel of the first stage's features, in both directions.
    package var firstStride: Int { (stem == .small ? 1 : 2) * (pooling == .none ? 1 : 2) }

    /// Whether the style matters: whether the stride can be on one of two convolutions.
    package var hasStyles: Bool { !isPreactivation && hasBottlenecks }

    /// Whether all stages are of the same block.
    package var hasOneBlock: Bool {
        for stage in 0..<stageCount where blocks[stage] != blocks[0] { return false }
        return true
    }

    /// Whether any stage is of Bottlenecks.
    package var hasBottlenecks: Bool {
        for stage in 0..<stageCount where blocks[stage] == .bottleneck { return true }
        return false
    }

    func hasBlockCounts(of other: Architecture) -> Bool {
        for stage in 0..<Architecture.mostStages where blockCounts[stage] != other.blockCounts[stage] { return false }
        return true
    }

    /// The same without a name, for channels other than the name's.
    package var unnamed: Architecture {
        var custom = self
        (custom.name, custom.depth) = ("", 0)
        return custom
    }

    /// Whether its widths are the usual ones, which follow from its other choices.
    package var hasUsualWidths: Bool {
        let usual = Architecture()
        for stage in 0..<stageCount where planes[stage] != usual.planes[stage] { return false }
        return reduction == usual.reduction
    }

    /// Whether the table lacks it.
    package var isCustom: Bool { name.utf8CodeUnitCount == 0 }
}

// MARK: - Widths

extension Architecture {
    /// Channels in a network of some `base_channels`, of those in a network of 64.
    static func scaled(_ channels: Int, _ baseChannels: Int) -> Int { max(1, channels * baseChannels / 64) }

    /// Channels of a stage before expansion. `stage` counts from 1.
    func planes(stage: Int, baseChannels: Int) -> Int { Architecture.scaled(planes[stage - 1], baseChannels) }

    /// Output channels of a stage.
    func outputs(stage: Int, baseChannels: Int) -> Int {
        planes(stage: stage, baseChannels: baseChannels) * blocks[stage - 1].expansion
    }

    /// Channels of a Bottleneck's 3x3 convolution in a stage of so many channels.
    func width(planes: Int) -> Int { max(1, planes * baseWidth / 64) * cardinality }

    /// Channels of the convolutions of the stem; a single one has the last number.
    func stemWidths(baseChannels: Int) -> StemWidths {
        let width = stemChannels > 0 ? stemChannels : Architecture.scaled(stemWidth, baseChannels)
        let half = max(1, width / 2)
        return StemWidths(first: stem == .tiered ? max(1, 3 * width / 8) : half, second: half, last: width)
    }
}

/// Output channels of the convolutions of a deep stem.
struct StemWidths: BitwiseCopyable, Equatable {
    let first: Int
    let second: Int
    let last: Int
}

/// Residual blocks of each stage.
package typealias BlockCounts = InlineArray<4, Int>
package typealias StageBlocks = InlineArray<4, Architecture.Block>
package typealias StageWidths = InlineArray<4, Int>
