// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Stems of three 3x3 convolutions, as ResNet-C and -D have them.
enum DeepStem {
    private static var count: Int { 4 }

    /// First convolutions of mmdetection (V1c, V1d), of timm, of detectron2 with names of torchvision's, and of Paddle.
    private static func name(_ index: Int) -> StaticString {
        switch index {
        case 0: "stem.0.weight"
        case 1: "conv1.0.weight"
        case 2: "stem.conv1_1.weight"
        default: "conv1.conv1_1.conv.weight"
        }
    }

    /// - Throws: `badCheckpoint` if the network of a candidate has one.
    static func refuse(in candidate: borrowing Candidate, prefix: Bytes?) throws(BackboneError) {
        for position in 0..<candidate.count {
            for index in 0..<count where candidate[position].hasSuffix(name(index)) {
                let length = candidate[position].count - name(index).utf8CodeUnitCount
                let found = candidate[position].slice(0, length)
                if let prefix, !equal(found, prefix) { continue }
                guard
                    candidate.contains(found, "layer1.0.conv1.weight")
                        || candidate.contains(found, "res2.0.conv1.weight")
                        || candidate.contains(found, "res2.res2a.branch2a.conv.weight")
                else { continue }
                throw BackboneError(
                    .badCheckpoint,
                    """
                    its network has a deep stem of three convolutions ('\(candidate[position])', as ResNet-C and -D \
                    have), which is not built here
                    """)
            }
        }
    }
}
