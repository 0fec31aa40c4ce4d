// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints

extension NameGrammar {
    /// torchvision's names, which mmdetection and timm share for plain ResNets: ours.
    static var torchvision: NameGrammar {
        NameGrammar(
            name: "torchvision",
            table: """
                place conv1.weight layer1.0.conv1.weight
                place bn1.bias layer1.0.bn1.bias
                place conv1.0.weight layer1.0.conv1.weight
                place stem.0.weight layer1.0.conv1.weight
                conv1.* conv1.*
                bn1.* bn1.*
                stem.* stem.*
                layer{s}.{b}.* layer{s}.{b}.*
                layer{s}.* layer{s}.*
                fc.* fc.*
                * *
                """)
    }
}
