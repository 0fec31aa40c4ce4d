// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// The names of detectron2, as its own converter from torchvision makes them: the stages are `res2` to `res5`, a norm
    /// is a child of its convolution, and the projection is `shortcut`. detectron2 ignores a bias of the stem.
    static var detectron2: Grammar {
        Grammar(
            name: "detectron2",
            table: """
                place stem.conv1.weight res2.0.conv1.weight
                place stem.conv1.norm.bias res2.0.conv1.norm.bias
                place stem.conv1_1.weight res2.0.conv1.weight
                stem.conv1.bias -
                stem.conv1.norm.* bn1.*
                stem.conv1.* conv1.*
                stem.fc.* fc.*
                stem.* ~stem.*
                linear.* fc.*
                res{s+1}.{b}.shortcut.norm.* layer{s}.{b}.downsample.1.*
                res{s+1}.{b}.shortcut.* layer{s}.{b}.downsample.0.*
                res{s+1}.{b}.conv{c}.norm.* layer{s}.{b}.bn{c}.*
                res{s+1}.{b}.conv{c}.* layer{s}.{b}.conv{c}.*
                res{s+1}.{b}.* ~layer{s}.{b}.*
                res{s+1}.* ~layer{s}.*
                """)
    }

    /// The names of maskrcnn-benchmark: torchvision's, with a module around the stem.
    static var maskRCNNBenchmark: Grammar {
        Grammar(
            name: "maskrcnn_benchmark",
            table: """
                place stem.conv1.weight layer1.0.conv1.weight
                place stem.bn1.bias layer1.0.bn1.bias
                stem.conv1.* conv1.*
                stem.bn1.* bn1.*
                stem.* stem.*
                layer{s}.{b}.* layer{s}.{b}.*
                layer{s}.* layer{s}.*
                """)
    }

    /// The names of PaddleDetection, which are known only up to its deep stem, to report why its networks do not load.
    static var paddleDetection: Grammar {
        Grammar(
            name: "paddledetection",
            table: """
                place conv1.conv1_1.conv.weight res2.res2a.branch2a.conv.weight
                conv1.* conv1.*
                """)
    }
}
