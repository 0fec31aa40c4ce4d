// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The nodes of a graph, fused to steps that the kernels compute. It depends on the graph alone; a `Plan` adds the size
/// of an image.
package struct Program: ~Copyable {
    package let steps: UniqueArray<ProgramStep>
    /// The number of convolutions among them.
    let convolutionCount: Int
    /// Doubles for the statistics of all BatchNorms: the mean and the variance of each channel.
    let statisticsCount: Int
    /// Whether a BatchNorm is a step of its own, which reads statistics in evaluation too.
    let hasNormalization: Bool
    let segmentCount: Int
}

/// The kind of a step.
package enum StepKind: BitwiseCopyable {
    /// Converts the caller's image.
    case input
    case convolution
    /// A BatchNorm that is not part of a convolution.
    case normalization
    case groupNormalization
    /// A scale for each channel, a sum and a function: any of them.
    case elementwise
    case maxPooling
    case averagePooling
    case globalPooling
    case subsample
    case blur
    case linear
    case channelConvolution
    /// Copies a result to the caller.
    case output

    /// Whether a row of its result needs only a few rows of its source.
    var isLocal: Bool {
        switch self {
        case .input, .convolution, .normalization, .elementwise, .maxPooling, .averagePooling, .subsample, .output: true
        case .groupNormalization, .globalPooling, .blur, .linear, .channelConvolution: false
        }
    }
}

// Kinds have no payloads: valgrind would report the spare bits in which Swift stores the tag as uninitialised.
package struct ProgramStep: BitwiseCopyable {
    package let kind: StepKind
    /// The node that identifies it: the first of the fused ones.
    package let node: Int
    /// The step whose result it reads, window by window; nil for the caller's image.
    let source: Int?
    /// The step that gives one factor for each channel.
    let scale: Int?
    /// The step whose result it adds.
    let addend: Int?
    /// The function applied to the sum.
    let function: Nonlinearity?
    package let convolution: FusedConvolution?
    /// The node of its norm, or of the norm after its convolution.
    package let norm: Int?
    /// The offset of that norm's statistics among all: means first, then variances.
    let statisticsOffset: Int
    /// How it reads its source.
    let window: Window
    /// Whether an average counts the padding.
    let countsPadding: Bool
    /// Index of the graph's output; meaningless for steps other than outputs.
    package let output: Int
    /// Channels of its result.
    let channels: Int
    /// Its segment of the graph.
    let segment: Int
    /// Zero pixels around its result: the widest padding of the convolutions that read it.
    var border = 0
    /// The last step that reads its result.
    var lastReader = -1
}

/// A convolution, and the BatchNorm that its weights may be folded with.
package struct FusedConvolution: BitwiseCopyable {
    /// The node of the convolution.
    package let node: Int
    /// The node of the BatchNorm.
    package let norm: Int?
    package let definition: Convolution
    /// Its number among the convolutions of the program.
    let index: Int
}

extension ConvolutionShape {
    /// The geometry of a convolution on an image of some size.
    package init(_ convolution: Convolution, height: Int, width: Int) {
        self.init(
            inputChannels: convolution.inputChannels, outputChannels: convolution.outputChannels,
            kernelSize: convolution.window.size, stride: convolution.window.stride,
            padding: convolution.window.padding, groups: convolution.groups, dilation: convolution.window.dilation,
            inputHeight: height, inputWidth: width)
    }
}
