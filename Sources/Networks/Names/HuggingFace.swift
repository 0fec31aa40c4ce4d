// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Grammar {
    /// `ResNetModel` of Hugging Face's transformers, and all models with a head on top of it.
    static var huggingFace: Grammar {
        Grammar(
            name: "huggingface",
            table: """
                place embedder.embedder.convolution.weight encoder.stages.0.layers.0.layer.0.convolution.weight
                place embedder.embedder.normalization.bias encoder.stages.0.layers.0.layer.0.normalization.bias
                embedder.embedder.convolution.* conv1.*
                embedder.embedder.normalization.* bn1.*
                embedder.* ~stem.*
                encoder.stages.{s-1}.layers.{b}.layer.{c-1}.convolution.* layer{s}.{b}.conv{c}.*
                encoder.stages.{s-1}.layers.{b}.layer.{c-1}.normalization.* layer{s}.{b}.bn{c}.*
                encoder.stages.{s-1}.layers.{b}.shortcut.convolution.* layer{s}.{b}.downsample.0.*
                encoder.stages.{s-1}.layers.{b}.shortcut.normalization.* layer{s}.{b}.downsample.1.*
                encoder.stages.{s-1}.layers.{b}.* ~layer{s}.{b}.*
                encoder.stages.{s-1}.* ~layer{s}.*
                """)
    }
}
