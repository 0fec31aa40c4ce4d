// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The outputs of a network, in order: C1 (of the stem), C2 to C5 (of the stages), the pooled vector and the logits.
/// Not empty.
///
/// Bits are those of the `BACKBONE_STAGE_*` constants: 1 to 8 for the stages, 16 for C1, 32 and 64 for the last two.
package struct OutputSet: BitwiseCopyable, Sendable {
    package let bits: UInt32

    /// The outputs of `bits` that a network of so many stages has; nil if none is left, or if other bits are set.
    package init?(bits: UInt32, stageCount: Int = Architecture.mostStages) {
        guard bits & ~OutputSet.everything == 0 else { return nil }
        let lacking = OutputSet.stages & ~(1 << UInt32(stageCount) - 1)
        self.bits = bits & ~lacking
        guard self.bits != 0 else { return nil }
    }

    /// C2 to C5, for detectors.
    package static var stages: UInt32 { 1 << UInt32(Architecture.mostStages) - 1 }
    private static var everything: UInt32 { 127 }

    /// Whether the features of a stage, from 1 on, are wanted.
    func contains(stage: Int) -> Bool { bits >> (stage - 1) & 1 == 1 }

    var hasStem: Bool { bits & 16 != 0 }
    var hasPooled: Bool { bits & 32 != 0 }
    package var hasLogits: Bool { bits & 64 != 0 }

    package var count: Int { bits.nonzeroBitCount }

    /// The last needed stage, in a network of so many: 0 if the stem is enough.
    func deepestStage(of stageCount: Int) -> Int {
        if hasPooled || hasLogits { return stageCount }
        return UInt32.bitWidth - (bits & OutputSet.stages).leadingZeroBitCount
    }
}
