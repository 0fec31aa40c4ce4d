// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// Networks of OpenMMLab whose convolutions and norms are children of a `ConvModule`: mmaction2, and others.
    static var convModule: Grammar {
        Grammar(
            name: "convmodule",
            table: """
                place conv1.conv.weight layer1.0.conv1.conv.weight
                place conv1.bn.bias layer1.0.conv1.bn.bias
                conv1.conv.* conv1.*
                conv1.bn.* bn1.*
                conv1.* conv1.*
                layer{s}.{b}.conv{c}.conv.* layer{s}.{b}.conv{c}.*
                layer{s}.{b}.conv{c}.bn.* layer{s}.{b}.bn{c}.*
                layer{s}.{b}.downsample.conv.* layer{s}.{b}.downsample.0.*
                layer{s}.{b}.downsample.bn.* layer{s}.{b}.downsample.1.*
                layer{s}.{b}.* ~layer{s}.{b}.*
                layer{s}.* ~layer{s}.*
                fc.* fc.*
                """)
    }
}
