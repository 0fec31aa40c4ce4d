// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The residual block a network is made of (He et al. 2015, arXiv:1512.03385, figure 5).
package enum BlockKind: Sendable {
    /// Two 3x3 convolutions.
    case basic
    /// 1x1, 3x3 and 1x1, the last one four times as wide. The stride sits on the 3x3, as in torchvision.
    case bottleneck

    /// Channels that a block gives for each channel of its width.
    package var expansion: Int { self == .basic ? 1 : 4 }

    package var convolutionCount: Int { self == .basic ? 2 : 3 }
}

/// The five published depths (table 1 of the same paper).
package enum Depth: Int32, BitwiseCopyable, Sendable {
    case resnet18 = 18
    case resnet34 = 34
    case resnet50 = 50
    case resnet101 = 101
    case resnet152 = 152

    package var blockKind: BlockKind {
        switch self {
        case .resnet18, .resnet34: .basic
        case .resnet50, .resnet101, .resnet152: .bottleneck
        }
    }

    /// The number of blocks in `stage`, 1 to 4.
    package func blockCount(stage: Int) -> Int {
        switch (self, stage) {
        case (.resnet18, _): 2
        case (_, 1), (_, 4): 3
        case (.resnet152, 2): 8
        case (_, 2): 4
        case (.resnet34, 3), (.resnet50, 3): 6
        case (.resnet101, 3): 23
        default: 36
        }
    }
}
