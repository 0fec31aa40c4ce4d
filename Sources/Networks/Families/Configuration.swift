// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The description that a network is built from; it never changes afterwards.
package struct Configuration: BitwiseCopyable, Sendable {
    package private(set) var architecture: Architecture
    package let inChannels: Int
    package let baseChannels: Int
    package let outputs: OutputSet
    /// Classes of the head.
    package let classes: Int
    package let dilation: Dilation
    /// BatchNorms use running statistics in training mode too.
    package let normEval: Bool
    package let style: Style
    /// Added to the variances of every norm.
    package let normEpsilon: Double
    /// Initialisation starts every residual branch at zero (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
    package let zeroInitResidual: Bool

    /// Bounds that keep every count of a network far from overflow, and its memory within that of a machine.
    package static var maximumInChannels: Int { 4096 }
    package static var maximumBaseChannels: Int { 256 }
    package static var maximumClasses: Int { 1 << 20 }

    /// The network of a depth; the numbers are those of the other initialiser.
    package init(
        depth: Int32, inChannels: Int32, baseChannels: Int32, outStages: UInt32, normEval: Int32,
        zeroInitResidual: Int32, style: Int32 = Style.pytorch.rawValue, normEpsilon: Float = BatchNorm.defaultEpsilon
    ) throws(BackboneError) {
        try self.init(
            Architecture(depth: depth, name: nil), inChannels: inChannels, baseChannels: baseChannels,
            outStages: outStages, normEval: normEval,
            zeroInitResidual: zeroInitResidual, style: style, normEpsilon: normEpsilon)
    }

    /// Checks a caller's numbers; the error names the option at fault.
    ///
    /// - Parameter classes: 0 for as many as the architecture has.
    package init(
        _ architecture: Architecture, inChannels: Int32, baseChannels: Int32, outStages: UInt32, classes: Int32 = 0,
        dilation: Dilation = .none, normEval: Int32, zeroInitResidual: Int32, style: Int32 = Style.pytorch.rawValue,
        normEpsilon: Float = BatchNorm.defaultEpsilon
    ) throws(BackboneError) {
        guard inChannels >= 1 && inChannels <= Self.maximumInChannels else {
            throw BackboneError(
                .invalidArgument, "in_channels is \(inChannels), expected 1 to \(Self.maximumInChannels)")
        }
        guard baseChannels >= 1 && baseChannels <= Self.maximumBaseChannels else {
            throw BackboneError(
                .invalidArgument, "base_channels is \(baseChannels), expected 1 to \(Self.maximumBaseChannels)")
        }
        guard let outputs = OutputSet(bits: outStages, stageCount: architecture.stageCount) else {
            throw BackboneError(
                .invalidArgument,
                """
                out_stages is \(outStages), expected a sum of 1 (C2), 2 (C3), 4 (C4), 8 (C5), 16 (C1), 32 (pooled) and \
                64 (logits), with at least one output that the network has
                """)
        }
        guard classes >= 0 && classes <= Self.maximumClasses else {
            throw BackboneError(
                .invalidArgument, "num_classes is \(classes), expected 0 to \(Self.maximumClasses)")
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
        self.normEpsilon = try Self.epsilon(normEpsilon)
        self.style = style
        self.architecture = architecture
        self.inChannels = Int(inChannels)
        self.baseChannels = Int(baseChannels)
        self.outputs = outputs
        self.classes = classes == 0 ? architecture.classes : Int(classes)
        self.dilation = dilation
        self.normEval = normEval == 1
        self.zeroInitResidual = zeroInitResidual == 1
    }

    /// The epsilon to compute with for a caller's float. PyTorch's default is not a float, so the float nearest to it
    /// stands for that double.
    ///
    /// - Throws: `invalidArgument` if it is not finite and positive.
    private static func epsilon(_ value: Float) throws(BackboneError) -> Double {
        guard value > 0 && value.isFinite else {
            throw BackboneError(
                .invalidArgument,
                "norm_eps is \(Double(value)), expected a finite number above 0, by default 1e-5")
        }
        return value == BatchNorm.defaultEpsilon ? 1e-5 : Double(value)
    }

    /// The same without a name, for channels other than the name's.
    package var unnamed: Configuration {
        var copy = self
        copy.architecture = architecture.unnamed
        return copy
    }

    /// The last built stage.
    package var deepestStage: Int { outputs.deepestStage(of: architecture.stageCount) }

    /// Blocks of all built stages.
    package var blockCount: Int {
        var count = 0
        for stage in 0..<deepestStage { count += architecture.blockCounts[stage] }
        return count
    }

    /// - Throws: `invalidArgument` unless each output has a tensor.
    package func checkOutputCount(_ count: Int) throws(BackboneError) {
        guard count == outputs.count else {
            throw BackboneError(
                .invalidArgument, "count is \(count), expected \(outputs.count), one for each output of out_stages")
        }
    }
}
