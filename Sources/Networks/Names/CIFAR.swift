// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// The names of the ResNets that are written for CIFAR, and of those copied from them: torchvision's, except the
    /// projection and the classifier.
    static var cifar: Grammar {
        Grammar(
            name: "cifar",
            table: """
                place conv1.weight layer2.0.shortcut.0.weight
                place bn1.bias layer2.0.shortcut.1.bias
                place linear.weight layer1.0.conv1.weight !fc.weight
                place linear.bias layer1.0.bn1.bias !fc.weight
                conv1.* conv1.*
                bn1.* bn1.*
                layer{s}.{b}.shortcut.* layer{s}.{b}.downsample.*
                layer{s}.{b}.* layer{s}.{b}.*
                layer{s}.* layer{s}.*
                linear.* fc.*
                fc.* fc.*
                """)
    }
}
