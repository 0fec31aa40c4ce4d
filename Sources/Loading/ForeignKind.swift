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

    private init(words: Bytes) {
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

    /// Parts of names, as module trees have them between dots, and what they stand for.
    private static var table: StaticString {
        """
        se se1 se2 se_layer se_module se_block SE = squeeze-and-excitation (SE); computing it takes a gate on the channels
        eca eca_layer = efficient channel attention (ECA); computing it takes a gate on the channels
        ca sa ca1 sa1 ca2 sa2 cbam CBAM cbam_layer ChannelGate SpatialGate = attention (CBAM); computing it takes its gates
        attn attention att = an attention module; computing it takes its gates
        gc gc_block context_block gcb = global context (GCNet); computing it takes its attention
        nl nonlocal non_local nonlocal_block = a non-local block; computing it takes its attention
        conv_offset conv2_offset conv_offset_mask offset_conv conv2_offset_mask dcn p_conv = deformable convolution (DCN); \
        computing it takes sampling at offsets
        IN BN IBN ibn = instance and batch normalisation (IBN); computing it takes InstanceNorm on half of the channels
        gn gn1 gn2 gn3 gn4 groupnorm = GroupNorm; computing it takes norms over groups of channels of each image
        ln ln1 ln2 ln3 layernorm = LayerNorm; computing it takes norms over the channels of each pixel
        in1 in2 in3 instnorm = InstanceNorm; computing it takes norms over the pixels of each channel
        prelu prelu1 prelu2 relu relu1 relu2 relu3 act act1 act2 act3 = an activation with parameters (PReLU); computing it \
        takes a slope for each channel
        lora_A lora_B lora_down lora_up adapter = an adapter (LoRA); merge it into the weights before saving
        weight_fake_quant activation_post_process fake_quant act_fake_quant = fake quantisation; convert the network back \
        before saving
        mask weight_mask = a pruning mask beside the weights; multiply the weights by it before saving
        filt aa blur blurpool = anti-aliasing (BlurPool); computing it takes a fixed blur before each stride
        layer_scale ls1 ls2 gamma_1 gamma_2 = layer scale; computing it takes a factor for each channel
        """
    }

    /// The kind that a part of a name stands for; nil if it is not one of the table.
    static func named(_ part: Bytes) -> ForeignKind? {
        var lines = bytes(of: table)
        while !lines.isEmpty {
            var words = lines.takePart(before: UInt8(ascii: "\n"))
            var isNamed = false
            while true {
                let word = words.takeWord()
                if word.isEmpty || equal(word, "=") { break }
                if equal(word, part) { isNamed = true }
            }
            if isNamed { return ForeignKind(words: words) }
        }
        return nil
    }
}
