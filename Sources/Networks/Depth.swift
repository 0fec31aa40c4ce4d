// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The residual block a network is made of (He et al. 2015, arXiv:1512.03385, figure 5).
package enum BlockKind: Sendable {
    /// Two 3x3 convolutions.
    case basic
    /// 1x1, 3x3 and 1x1, the last one four times as wide. `Style` tells where the stride sits.
    case bottleneck

    /// Channels that a block gives for each channel of its width.
    package var expansion: Int { self == .basic ? 1 : 4 }

    package var convolutionCount: Int { self == .basic ? 2 : 3 }
}

/// Where the stride of a Bottleneck sits, with the numbers of the `BACKBONE_STYLE_*` constants. No weight tells it: a
/// network of the other style runs with the same weights, and computes something else.
package enum Style: Int32, BitwiseCopyable, Sendable {
    /// On the 3x3 convolution, as in torchvision.
    case pytorch = 0
    /// On the first 1x1 convolution, as in the original networks of He et al., Caffe2 and Detectron.
    case caffe = 1
}

/// The five published depths (table 1 of the same paper).
package enum Depth: Int32, BitwiseCopyable, Sendable {
    case resnet18 = 18
    case resnet34 = 34
    case resnet50 = 50
    case resnet101 = 101
    case resnet152 = 152

    /// The depth of a network with that many blocks in layer1 to layer4; 0 stands for an unknown number. Nil if none of
    /// the five fits, or more than one.
    package static func matching(_ blockCounts: [4 of Int], isBottleneck: Bool) -> Depth? {
        var found: Depth?
        let depths: [5 of Depth] = [.resnet18, .resnet34, .resnet50, .resnet101, .resnet152]
        for index in 0..<5 {
            let depth = depths[index]
            guard (depth.blockKind == .bottleneck) == isBottleneck else { continue }
            var fits = false
            for index in 0..<4 where blockCounts[index] != 0 { fits = true }
            for index in 0..<4 where blockCounts[index] != 0 {
                if blockCounts[index] != depth.blockCount(stage: index + 1) { fits = false }
            }
            if fits && found != nil { return nil }
            if fits { found = depth }
        }
        return found
    }

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
