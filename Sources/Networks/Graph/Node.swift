// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The operation of a node. PyTorch's module or function of the same name is the definition, in evaluation mode.
package enum Operation: BitwiseCopyable, Sendable {
    /// The input of the network.
    case image
    case convolution(Convolution)
    case batchNorm(BatchNorm)
    case groupNorm(GroupNorm)
    case activation(Nonlinearity)
    /// The sum of both inputs.
    case add
    /// The first input times the second, which has one value for each channel of an image.
    case channelScale
    /// Padded with minus infinity.
    case maxPooling(Window)
    /// - Parameter countsPadding: whether zeros of the padding count (`count_include_pad`).
    case averagePooling(Window, countsPadding: Bool)
    /// The mean of all pixels of a channel.
    case globalPooling
    /// Every `stride`-th row and column, with zeros for further channels, half of them before and half after: option A of
    /// He et al. 2015 (arXiv:1512.03385), section 4.2.
    case subsample(stride: Int)
    /// A fixed binomial filter of each channel, with reflected borders (Zhang 2019, arXiv:1904.11486).
    case blur(Window)
    case linear(Linear)
    /// A convolution over the channels of one pixel (Wang et al. 2020, arXiv:1910.03151): `y[c] = sum(w[j] * x[c + j - size / 2])`,
    /// with zeros outside of the channels; as PyTorch's `conv1d` of one channel with `padding=size // 2`.
    case channelConvolution(size: Int)
}

/// Cross-correlation with square windows, as PyTorch's `conv2d`.
package struct Convolution: BitwiseCopyable, Sendable {
    package let inputChannels: Int
    package let outputChannels: Int
    package let window: Window
    package let groups: Int
    package let hasBias: Bool
    package let initialWeights: InitialWeights

    /// The distribution of its initial weights.
    package enum InitialWeights: BitwiseCopyable, Sendable {
        /// Kaiming's normal distribution, by the fan-out.
        case kaiming
        /// Zeros: for a residual branch that starts at zero without a norm after it.
        case zero
        /// A normal distribution of deviation 0.01, and biases of zero: timm's heads that are convolutions.
        case narrow
    }

    /// Weights in PyTorch's order: (out, in / groups, row, column).
    package var weightCount: Int { outputChannels * (inputChannels / groups) * window.size * window.size }
}

package struct BatchNorm: BitwiseCopyable, Sendable {
    /// Added to the variances.
    package let epsilon: Double
    /// 0 for the last norm of a residual branch that starts at zero (Goyal et al. 2017, arXiv:1706.02677, section 5.1).
    package let initialWeight: Float

    /// PyTorch's default, unless a network sets another.
    package static var defaultEpsilon: Float { 1e-5 }
    /// The share of the newest batch in the running statistics, PyTorch's default.
    package static var momentum: Double { 0.1 }
}

package struct GroupNorm: BitwiseCopyable, Sendable {
    package let groups: Int
    package let epsilon: Double
    package let initialWeight: Float
}

package struct Linear: BitwiseCopyable, Sendable {
    package let inputChannels: Int
    package let outputChannels: Int
}

/// The activation functions of the family.
package enum Nonlinearity: BitwiseCopyable, Sendable {
    case relu, silu, sigmoid
}

/// One operation of a network. Nodes are in a valid order of computation; a node and its result have the same number.
package struct Node: BitwiseCopyable, Sendable {
    package let operation: Operation
    /// The node whose result it reads; -1 for the image.
    package let input: Int
    /// The second one, of a sum or a scale.
    package let secondInput: Int?
    /// Channels of its result.
    package let channels: Int
    /// The segment of the graph that it belongs to.
    package let segment: Int
    /// It is frozen if at least so many groups are; the first group is 0.
    package let freezeGroup: Int
    /// The group of a classifier, which is never frozen.
    package static var headGroup: Int { .max }
    /// Its name among the modules of the state dict: "layer1.0.conv1"; empty for operations that are not modules.
    let name: TextRange
    /// Its first entry of the state dict, and the number of its entries.
    package let firstEntry: Int
    package let entryCount: Int
}
