// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The stages that keep the size of their input, and dilate their 3x3 convolutions instead. The weights do not record
/// it.
package struct Dilation: BitwiseCopyable, Sendable {
    /// Bit `stage - 1` stands for `stage`, as in `OutputSet`.
    package let stages: UInt32
    package let rule: Rule

    /// The dilation of the first block of such a stage, with the numbers of the `BACKBONE_DILATION_*` constants.
    package enum Rule: Int32, BitwiseCopyable, Sendable {
        /// Dilation of the previous stage: torchvision and timm.
        case previous = 0
        /// Dilation of the blocks after it; in BasicBlocks only the first convolutions dilate: mmdetection, detectron2.
        case whole = 1
    }

    package static var none: Dilation { Dilation(stages: 0, rule: .previous) }

    private init(stages: UInt32, rule: Rule) {
        self.stages = stages
        self.rule = rule
    }

    /// Checks a caller's numbers; the error names the option at fault.
    ///
    /// - Parameters:
    ///   - stages: Of the last three.
    ///   - outputStride: 0 if `stages` decide. Otherwise the stages that would exceed it dilate.
    ///   - firstStride: Of the first stage's features.
    package init(
        stages: UInt32, outputStride: Int32, rule: Int32, firstStride: Int
    ) throws(BackboneError) {
        guard let rule = Rule(rawValue: rule) else {
            throw BackboneError(
                .invalidArgument, "dilation_rule is \(rule), expected 0 (the stage before) or 1 (the whole stage)")
        }
        guard stages & ~14 == 0 else {
            throw BackboneError(
                .invalidArgument, "dilated_stages is \(stages), expected a sum of 2 (C3), 4 (C4) and 8 (C5)")
        }
        var implied = stages
        switch outputStride {
        case 0: break
        case 8, 16, 32:
            implied = 0
            for stage in 2...Architecture.mostStages where firstStride << (stage - 1) > Int(outputStride) {
                implied |= 1 << UInt32(stage - 1)
            }
        default:
            throw BackboneError(.invalidArgument, "output_stride is \(outputStride), expected 0, 8, 16 or 32")
        }
        guard stages == 0 || stages == implied else {
            throw BackboneError(
                .invalidArgument, "output_stride is \(outputStride), but dilated_stages is \(stages); set one to 0")
        }
        self.init(stages: implied, rule: rule)
    }

    func contains(stage: Int) -> Bool { stages >> (stage - 1) & 1 == 1 }
}

/// Strides and dilations of the 3x3 convolutions of a stage.
struct StageGeometry: BitwiseCopyable {
    /// Counts from 1.
    let stage: Int
    /// Stride of the first block.
    let stride: Int
    /// Dilation of all blocks but the first.
    let dilation: Int
    let firstDilation: Int
    let rule: Dilation.Rule

    static func first(_ dilation: Dilation) -> StageGeometry {
        StageGeometry(stage: 1, stride: 1, dilation: 1, firstDilation: 1, rule: dilation.rule)
    }

    /// The geometry of the next stage.
    func next(_ dilation: Dilation) -> StageGeometry {
        let isDilated = dilation.contains(stage: stage + 1)
        let next = isDilated ? 2 * self.dilation : self.dilation
        return StageGeometry(
            stage: stage + 1, stride: isDilated ? 1 : 2, dilation: next,
            firstDilation: rule == .previous ? self.dilation : next, rule: rule)
    }

    func block(isFirst: Bool) -> BlockGeometry {
        isFirst
            ? BlockGeometry(stride: stride, dilation: firstDilation, laterDilation: dilation, rule: rule)
            : BlockGeometry(stride: 1, dilation: dilation, laterDilation: dilation, rule: rule)
    }
}

/// Strides and dilations of the 3x3 convolutions of a block.
struct BlockGeometry: BitwiseCopyable {
    let stride: Int
    /// Dilation of its first 3x3 convolution.
    let dilation: Int
    /// Dilation of the stage.
    let laterDilation: Int
    let rule: Dilation.Rule

    /// Dilation of the second 3x3 convolution of a BasicBlock.
    var secondDilation: Int { rule == .whole ? 1 : laterDilation }

    /// Whether something replaces a stride or a change of dilation: the places where timm blurs.
    var changes: Bool { stride != 1 || dilation != laterDilation }
}
