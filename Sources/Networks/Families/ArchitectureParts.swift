// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// The choices that make an architecture. Raw values are those of the `BACKBONE_*` constants of the same names, of which 0
// stands for the architecture's own choice.
extension Architecture {
    /// The residual block of a stage (He et al. 2015, arXiv:1512.03385, figure 5).
    package enum Block: Int32, BitwiseCopyable, Sendable {
        /// Two 3x3 convolutions.
        case basic = 1
        /// 1x1, 3x3 and 1x1, the last one four times as wide. `Style` says which convolution has the stride.
        case bottleneck = 2

        /// Output channels of a block for each channel of its stage.
        var expansion: Int { self == .basic ? 1 : 4 }

        /// The plural in messages.
        package var plural: StaticString { self == .basic ? "BasicBlocks" : "Bottlenecks" }
    }

    /// The first convolutions.
    package enum Stem: Int32, BitwiseCopyable, Sendable {
        /// One of 7x7 with stride 2.
        case single = 1
        /// Three of 3x3, the first with stride 2, the first two of half the width (ResNet-C, He et al. 2019,
        /// arXiv:1812.01187, figure 2).
        case deep = 2
        /// The same, but the first has three eighths of the width (timm's T).
        case tiered = 3
        /// One of 3x3 without stride (CIFAR; He et al. 2015, section 4.2).
        case small = 4

        var isDeep: Bool { self == .deep || self == .tiered }
    }

    /// The operation between the stem and the first stage.
    package enum StemPooling: Int32, BitwiseCopyable, Sendable {
        /// Max pooling of 3x3 with stride 2, or its anti-aliased form.
        case max = 1
        /// A convolution of 3x3 with stride 2, with its norm (ResNet-RS, Bello et al. 2021, arXiv:2103.07579, figure 3).
        case convolution = 2
        /// Nothing (CIFAR).
        case none = 3
    }

    /// The shortcut of a block whose branch changes the size or the channels.
    package enum Shortcut: Int32, BitwiseCopyable, Sendable {
        /// Option B of He et al. 2015, section 4.1: a convolution of 1x1 with the stride.
        case projection = 1
        /// An average pooling of 2x2 with the stride, and a convolution of 1x1 (ResNet-D, He et al. 2019).
        case average = 2
        /// Option A: every second row and column, with zeros for further channels.
        case subsample = 3
        /// Option C: as B, in every block.
        case everywhere = 4
        /// A convolution of 3x3 with the stride (SENet-154, Hu et al. 2017, arXiv:1709.01507, section 6.1).
        case wide = 5
        /// No shortcuts at all: the plain networks of He et al. 2015, section 3.3.
        case none = 6

        /// Whether it has weights.
        var isProjection: Bool { self != .subsample && self != .none }
    }

    package enum Norm: Int32, BitwiseCopyable, Sendable {
        case batch = 1
        /// GroupNorm of 32 groups (Wu and He 2018, arXiv:1803.08494).
        case group = 2

        static var groupCount: Int { 32 }
    }

    /// A gate on the channels at the end of each branch.
    package enum Attention: Int32, BitwiseCopyable, Sendable {
        case none = 1
        /// Squeeze and excitation to a sixteenth of the channels (Hu et al. 2017).
        case squeeze = 2
        /// Squeeze and excitation to a quarter of the channels (ResNet-RS).
        case squeezeQuarter = 3
        /// Efficient channel attention (Wang et al. 2020, arXiv:1910.03151).
        case efficient = 4

        var isSqueeze: Bool { self == .squeeze || self == .squeezeQuarter }

        /// Channels of the squeeze of so many: a multiple of 8, as in timm.
        func squeezed(_ channels: Int) -> Int {
            let wanted = channels / (self == .squeezeQuarter ? 4 : 16)
            return Swift.max(8, (wanted + 4) / 8 * 8)
        }

        /// The size of ECA's convolution over so many channels: the odd number nearest to `(log2(channels) + 1) / 2`, rounded
        /// down and then up, at least 3.
        static func kernelSize(_ channels: Int) -> Int {
            let half = (Int.bitWidth - 1 - channels.leadingZeroBitCount + 1) / 2
            return Swift.max(3, half | 1)
        }
    }

    /// The replacement of a stride (Zhang 2019, arXiv:1904.11486). The weights do not record it.
    package enum AntiAliasing: Int32, BitwiseCopyable, Sendable {
        case none = 1
        /// A binomial filter of 3x3 with the stride.
        case blur = 2
        /// An average pooling of 2x2 with the stride.
        case average = 3
    }
}

/// Which convolution of a Bottleneck has the stride, with the numbers of the `BACKBONE_STYLE_*` constants. The weights
/// do not record it: the wrong style gives wrong features.
package enum Style: Int32, BitwiseCopyable, Sendable {
    /// The 3x3 convolution, as in torchvision.
    case pytorch = 0
    /// The first 1x1 convolution, as in the original networks of He et al., Caffe2 and Detectron.
    case caffe = 1

    package var name: StaticString { self == .pytorch ? "pytorch" : "caffe" }
}
