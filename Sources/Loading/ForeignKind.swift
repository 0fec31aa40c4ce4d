// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Runtime

/// What a module inside the stem or the blocks of a file's network is that the networks built here do not have.
struct ForeignKind: BitwiseCopyable {
    /// In the words of the field, with what it would take to compute it. Static.
    let words: Bytes
    /// Whether its names tell for certain. Of others, tensors of other shapes tell more of the file's network.
    let isCertain: Bool

    private init(_ words: StaticString, isCertain: Bool = true) {
        self.words = bytes(of: words)
        self.isCertain = isCertain
    }

    init(words: Bytes) {
        self.words = words
        isCertain = true
    }

    static var unknown: ForeignKind { ForeignKind("a module that is not known here", isCertain: false) }
    static var moreBlocks: ForeignKind {
        ForeignKind("more blocks than this network has; build the deeper network", isCertain: false)
    }
    static var thirdConvolution: ForeignKind {
        ForeignKind(
            "a third convolution in each block; build a network of Bottlenecks (depth 50 and more)", isCertain: false)
    }
    static var bias: ForeignKind {
        ForeignKind("biases of convolutions that are not zero; computing them takes convolutions with biases")
    }
    static var deepStem: ForeignKind {
        ForeignKind("a deep stem (ResNet-C, -D); computing it takes three 3x3 convolutions in place of the 7x7")
    }
    static var averageShortcut: ForeignKind {
        ForeignKind("shortcuts with average pooling (ResNet-D); computing them takes the pooling before the 1x1")
    }
    static var splitAttention: ForeignKind {
        ForeignKind("split attention (ResNeSt); computing it takes grouped convolutions and a gate on their sum")
    }
    static var parametrisation: ForeignKind {
        ForeignKind("a parametrisation; remove it before saving (torch.nn.utils.parametrize.remove_parametrizations)")
    }
}
