// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

// Children of a ResNet in an `nn.Sequential` have numbers as names.
extension Grammar {
    /// `nn.Sequential(*resnet.children())`: 0 and 1 are the stem, 2 its ReLU, 3 its pooling, 4 to 7 the stages.
    static var sequential: Grammar {
        Grammar(
            name: "sequential",
            table: """
                place 0.weight 4.0.conv1.weight !3.0.conv1.weight
                place 1.bias 4.0.bn1.bias !3.0.bn1.bias
                0.* conv1.*
                1.* bn1.*
                {s+3}.{b}.* layer{s}.{b}.*
                {s+3}.* layer{s}.*
                """)
    }

    /// The same without a module for the ReLU, or for the pooling.
    static var sequentialWithoutOne: Grammar {
        Grammar(
            name: "sequential",
            table: """
                place 0.weight 3.0.conv1.weight !2.0.conv1.weight
                place 1.bias 3.0.bn1.bias !2.0.bn1.bias
                0.* conv1.*
                1.* bn1.*
                {s+2}.{b}.* layer{s}.{b}.*
                {s+2}.* layer{s}.*
                """)
    }

    /// The same without either.
    static var sequentialWithoutBoth: Grammar {
        Grammar(
            name: "sequential",
            table: """
                place 0.weight 2.0.conv1.weight
                place 1.bias 2.0.bn1.bias
                0.* conv1.*
                1.* bn1.*
                {s+1}.{b}.* layer{s}.{b}.*
                {s+1}.* layer{s}.*
                """)
    }

    /// `nn.Sequential(stem, layer1, layer2, layer3, layer4)`, with a stem that is one itself.
    static var sequentialOfStages: Grammar {
        Grammar(
            name: "sequential",
            table: """
                place 0.0.weight 1.0.conv1.weight
                place 0.1.bias 1.0.bn1.bias
                0.0.* conv1.*
                0.1.* bn1.*
                0.* stem.*
                {s}.{b}.* layer{s}.{b}.*
                {s}.* layer{s}.*
                """)
    }

    /// faster-rcnn.pytorch: the stem and three stages in one `Sequential`, the last stage in another.
    static var fasterRCNN: Grammar {
        Grammar(
            name: "sequential",
            table: """
                place RCNN_base.0.weight RCNN_base.4.0.conv1.weight
                place RCNN_base.1.bias RCNN_base.4.0.bn1.bias
                RCNN_base.0.* conv1.*
                RCNN_base.1.* bn1.*
                RCNN_base.4.{b}.* layer1.{b}.*
                RCNN_base.5.{b}.* layer2.{b}.*
                RCNN_base.6.{b}.* layer3.{b}.*
                RCNN_top.0.{b}.* layer4.{b}.*
                """)
    }

    /// The stem as a module `layer0`: a `Sequential` or one with names. If the first stage includes the pooling before
    /// it, the names of its blocks have a 1 before their number.
    static var layerZero: Grammar {
        Grammar(
            name: "layer0",
            table: """
                place layer0.0.weight layer1.0.conv1.weight
                place layer0.1.bias layer1.0.bn1.bias
                place layer0.conv1.weight layer1.0.conv1.weight
                place layer0.bn1.bias layer1.0.bn1.bias
                place layer0.0.weight layer1.1.0.conv1.weight
                place layer0.1.bias layer1.1.0.bn1.bias
                layer0.conv1.* conv1.*
                layer0.bn1.* bn1.*
                layer0.0.* conv1.*
                layer0.1.* bn1.*
                layer0.* stem.*
                layer1.1.{b}.* ~layer1.{b}.*
                layer{s}.{b}.* layer{s}.{b}.*
                layer{s}.* layer{s}.*
                fc.* fc.*
                """)
    }
}
