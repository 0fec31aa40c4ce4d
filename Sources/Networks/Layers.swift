// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// One convolution without bias and the BatchNorm behind it: the unit of which all of a network consists.
package struct ConvolutionUnit: BitwiseCopyable, Sendable {
    /// 0 for the stem, 1 to 4 for layer1 to layer4.
    package let stage: Int
    package let inputChannels: Int
    package let outputChannels: Int
    package let kernelSize: Int
    package let stride: Int
    package let padding: Int
    /// Whether its BatchNorm is the last one of a residual branch.
    package let endsResidualBranch: Bool

    /// Where the convolution's weights begin in the network's values, in PyTorch's order (out, in, row, column). Behind
    /// them lie the weight, bias, running_mean and running_var of the BatchNorm, `outputChannels` values each.
    package let valueOffset: Int

    package var weightCount: Int { outputChannels * inputChannels * kernelSize * kernelSize }
    package var valueCount: Int { weightCount + 4 * outputChannels }
    package var normWeightOffset: Int { valueOffset + weightCount }
    package var normBiasOffset: Int { normWeightOffset + outputChannels }
    package var runningMeanOffset: Int { normBiasOffset + outputChannels }
    package var runningVarOffset: Int { runningMeanOffset + outputChannels }
}

/// One residual block: its units stand one behind the other in the network's list.
package struct ResidualBlock: BitwiseCopyable, Sendable {
    package let stage: Int
    /// The first convolution of the residual branch.
    package let firstUnit: Int
    package let convolutionCount: Int
    /// A projection shortcut, behind the units of the branch.
    package let hasDownsample: Bool
    /// Whether the features of its stage are those of this block.
    package let endsStage: Bool

    /// The unit of the projection shortcut; nil where the shortcut is the identity.
    package var downsampleUnit: Int? { hasDownsample ? firstUnit + convolutionCount : nil }
}
