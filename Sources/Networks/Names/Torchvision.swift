// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// torchvision's names, which mmdetection and timm share for plain ResNets: ours. Deep stems have timm's names;
    /// mmdetection calls them `stem`.
    static var torchvision: Grammar {
        Grammar(
            name: "torchvision",
            table: """
                place conv1.weight layer1.0.conv1.weight !layer2.0.shortcut.0.weight !linear.weight
                place bn1.bias layer1.0.bn1.bias !layer2.0.shortcut.1.bias !linear.bias
                place fc.weight layer1.0.conv1.weight !layer2.0.shortcut.0.weight
                place conv1.0.weight layer1.0.conv1.weight
                place stem.0.weight layer1.0.conv1.weight
                conv1.* conv1.*
                bn1.* bn1.*
                stem.0.* conv1.0.*
                stem.1.* conv1.1.*
                stem.3.* conv1.3.*
                stem.4.* conv1.4.*
                stem.6.* conv1.6.*
                stem.7.* bn1.*
                stem.* stem.*
                layer{s}.{b}.se_module.* ~layer{s}.{b}.se.*
                layer{s}.{b}.se_layer.conv1.conv.* ~layer{s}.{b}.se.fc1.*
                layer{s}.{b}.se_layer.conv2.conv.* ~layer{s}.{b}.se.fc2.*
                layer{s}.{b}.eca.conv.* ~layer{s}.{b}.se.conv.*
                layer{s}.{b}.* layer{s}.{b}.*
                layer{s}.* layer{s}.*
                maxpool.0.* maxpool.0.*
                maxpool.1.* maxpool.1.*
                fc.* fc.*
                * *
                """)
    }

    /// timm's names of pre-activation networks: ours for these.
    static var timm: Grammar {
        Grammar(
            name: "timm",
            table: """
                place stem.conv.weight stages.0.blocks.0.conv1.weight
                place stem.conv3.weight stages.0.blocks.0.conv1.weight
                place stages.0.blocks.0.norm1.bias stages.0.blocks.0.conv1.weight
                stem.* stem.*
                stages.{s-1}.blocks.{b}.* stages.{s-1}.blocks.{b}.*
                stages.{s-1}.* stages.{s-1}.*
                norm.* norm.*
                head.fc.* head.fc.*
                """)
    }
}
