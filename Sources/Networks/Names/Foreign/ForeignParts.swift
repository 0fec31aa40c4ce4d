// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Parts of names, between the dots of module trees, and their kinds. Sorted, as a hostile file may have many names of
/// many parts.
struct ForeignParts: ~Copyable {
    private var parts = UniqueArray<Bytes>()
    private var kinds = UniqueArray<ForeignKind>()
    private var order = UniqueArray<Int32>()

    init() throws(BackboneError) {
        var lines = bytes(of: ForeignParts.table)
        while !lines.isEmpty {
            var words = lines.takePart(before: UInt8(ascii: "\n"))
            let first = parts.count
            while true {
                let word = words.takeWord()
                if word.isEmpty || equal(word, "=") { break }
                try order.append(Int32(parts.count))
                try parts.append(word)
            }
            for _ in first..<parts.count { try kinds.append(ForeignKind(words: words)) }
        }
        let parts = parts.elements
        sort(order.mutableElements) { compare(parts[Int($0)], parts[Int($1)]) < 0 }
    }

    /// The kind of a part of a name; nil if the table lacks it.
    func kind(of part: Bytes) -> ForeignKind? {
        let parts = parts.elements
        return search(order.elements) { compare(parts[Int($0)], part) }.map { kinds[$0] }
    }

    private static var table: StaticString {
        """
        se_module = squeeze-and-excitation (SE) of pretrainedmodels, with a pooling that has no padding and rounds up, \
        which is not supported
        se se1 se2 se_layer se_block SE = squeeze-and-excitation (SE); build a network with it, such as seresnet50, or \
        create it from the file
        eca eca_layer = efficient channel attention (ECA); build a network with it, such as ecaresnet50d, or create it \
        from the file
        ca sa ca1 sa1 ca2 sa2 cbam CBAM cbam_layer ChannelGate SpatialGate = attention (CBAM), which is not supported
        attn attention att = an attention module, which is not supported
        gc gc_block context_block gcb = global context (GCNet), which is not supported
        nl nonlocal non_local nonlocal_block = a non-local block, which is not supported
        conv_offset conv2_offset conv_offset_mask offset_conv conv2_offset_mask dcn p_conv = deformable convolution \
        (DCN), which is not supported
        IN BN IBN ibn = instance and batch normalisation (IBN), which is not supported
        gn gn1 gn2 gn3 gn4 groupnorm = GroupNorm under other names than timm's (bn1, ...), which is not supported
        ln ln1 ln2 ln3 layernorm = LayerNorm, which is not supported
        in1 in2 in3 instnorm = InstanceNorm, which is not supported
        prelu prelu1 prelu2 relu relu1 relu2 relu3 act act1 act2 act3 = an activation with parameters (PReLU), which \
        is not supported
        lora_A lora_B lora_down lora_up adapter = an adapter (LoRA); merge it into the weights before saving
        weight_fake_quant activation_post_process fake_quant act_fake_quant = fake quantisation; convert the network \
        back \
        before saving
        mask weight_mask = a pruning mask beside the weights; multiply the weights by it before saving
        filt aa blur blurpool = anti-aliasing (BlurPool) with filters in the file, which is not supported
        layer_scale ls1 ls2 gamma_1 gamma_2 = layer scale, which is not supported
        """
    }
}
