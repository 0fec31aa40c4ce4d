// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// What a network is built from; it never changes afterwards.
package struct Configuration: BitwiseCopyable, Sendable {
    package let depth: Depth
    package let inChannels: Int
    package let baseChannels: Int
    /// The stages whose features are wanted.
    package let outStages: StageSet
    /// BatchNorms use running statistics in training mode too.
    package let normEval: Bool
    package let style: Style
    /// Added to the variances of every BatchNorm.
    package let normEpsilon: Double
    /// Initialisation starts every residual branch at zero (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
    package let zeroInitResidual: Bool

    /// Bounds that keep every count of a network far from overflow, and memory within what a machine has.
    package static var maximumInChannels: Int { 4096 }
    package static var maximumBaseChannels: Int { 256 }

    /// Checks numbers as they come from a caller; the error names the option at fault.
    package init(
        depth: Int32, inChannels: Int32, baseChannels: Int32, outStages: UInt32, normEval: Int32,
        zeroInitResidual: Int32, style: Int32 = Style.pytorch.rawValue, normEpsilon: Float = BatchNorm.defaultEpsilon
    ) throws(BackboneError) {
        guard let depth = Depth(rawValue: depth) else {
            throw BackboneError(.invalidArgument, "depth is \(depth), expected 18, 34, 50, 101 or 152")
        }
        guard inChannels >= 1 && inChannels <= Self.maximumInChannels else {
            throw BackboneError(
                .invalidArgument, "in_channels is \(inChannels), expected 1 to \(Self.maximumInChannels)")
        }
        guard baseChannels >= 1 && baseChannels <= Self.maximumBaseChannels else {
            throw BackboneError(
                .invalidArgument, "base_channels is \(baseChannels), expected 1 to \(Self.maximumBaseChannels)")
        }
        guard let stages = StageSet(bits: outStages) else {
            throw BackboneError(
                .invalidArgument, "out_stages is \(outStages), expected a sum of 1 (C2), 2 (C3), 4 (C4) and 8 (C5)")
        }
        guard normEval == 0 || normEval == 1 else {
            throw BackboneError(.invalidArgument, "norm_eval is \(normEval), expected 0 or 1")
        }
        guard zeroInitResidual == 0 || zeroInitResidual == 1 else {
            throw BackboneError(.invalidArgument, "zero_init_residual is \(zeroInitResidual), expected 0 or 1")
        }
        guard let style = Style(rawValue: style) else {
            throw BackboneError(.invalidArgument, "style is \(style), expected 0 (pytorch) or 1 (caffe)")
        }
        self.normEpsilon = try BatchNorm.epsilon(normEpsilon)
        self.style = style
        self.depth = depth
        self.inChannels = Int(inChannels)
        self.baseChannels = Int(baseChannels)
        self.outStages = stages
        self.normEval = normEval == 1
        self.zeroInitResidual = zeroInitResidual == 1
    }

    /// Width of the blocks of `stage` (1 to 4) before expansion.
    func width(stage: Int) -> Int { baseChannels << (stage - 1) }

    /// Channels of the features of `stage`, 1 (C2) to 4 (C5).
    package func outputChannels(stage: Int) -> Int { width(stage: stage) * depth.blockKind.expansion }
}

/// A set of the stages 1 (C2) to 4 (C5) that is not empty.
package struct StageSet: BitwiseCopyable, Sendable {
    /// Bit `stage - 1` stands for `stage`.
    package let bits: UInt32

    package init?(bits: UInt32) {
        guard bits >= 1 && bits <= 15 else { return nil }
        self.bits = bits
    }

    package func contains(_ stage: Int) -> Bool { bits >> (stage - 1) & 1 == 1 }

    package var count: Int { bits.nonzeroBitCount }

    /// How many stages of the set come before `stage`: its place in a list of features.
    package func index(of stage: Int) -> Int { (bits & ((1 << (stage - 1)) - 1)).nonzeroBitCount }

    /// Computation, and the network, end here.
    package var deepest: Int { UInt32.bitWidth - bits.leadingZeroBitCount }
}
