// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The kind of a module inside the stem or the blocks of a file's network that this network lacks.
package struct ForeignKind: BitwiseCopyable {
    /// A description in the terms of the field, with what to do. Static.
    package let words: Bytes
    /// Whether its names are certain evidence. For others, tensors of other shapes say more about the file's network.
    package let isCertain: Bool

    private init(_ words: StaticString, isCertain: Bool = true) {
        self.words = bytes(of: words)
        self.isCertain = isCertain
    }

    init(words: Bytes) {
        self.words = words
        isCertain = true
    }

    static var unknown: ForeignKind { ForeignKind("an unknown module", isCertain: false) }
    static var moreBlocks: ForeignKind {
        ForeignKind("more blocks than this network has; build the deeper network", isCertain: false)
    }
    static var thirdConvolution: ForeignKind {
        ForeignKind(
            "a third convolution in each block; build a network of Bottlenecks (depth 50 and more)", isCertain: false)
    }
    static var bias: ForeignKind {
        ForeignKind("biases of convolutions that are not zero, which are not supported")
    }
    static var deepStem: ForeignKind {
        ForeignKind(
            "a deep stem (ResNet-C, -D); build a network with one, such as resnet50d, or create it from the file")
    }
    /// CLIP's, DeepLab's and PaddleDetection's.
    static var otherStem: ForeignKind {
        ForeignKind("a deep stem of another kind, which is not supported")
    }
    static var singleStem: ForeignKind {
        ForeignKind(
            "a stem of one convolution; build a network with one, such as resnet50, or create it from the file")
    }
    static var averageShortcut: ForeignKind {
        ForeignKind(
            """
            shortcuts with average pooling (ResNet-D); build a network with them, such as resnet50d, or create it from \
            the file
            """
        )
    }
    static var plainShortcut: ForeignKind {
        ForeignKind(
            "shortcuts without pooling; build a network with them, such as resnet50, or create it from the file")
    }
    static var preactivation: ForeignKind {
        ForeignKind("a pre-activation network; build one, such as resnetv2_50, or create it from the file")
    }
    static var postactivation: ForeignKind {
        ForeignKind("a network without pre-activation; build one, such as resnet50, or create it from the file")
    }
    static var splitAttention: ForeignKind {
        ForeignKind("split attention (ResNeSt), which is not supported")
    }
    static var parametrisation: ForeignKind {
        ForeignKind("a parametrisation; remove it before saving (torch.nn.utils.parametrize.remove_parametrizations)")
    }
}
