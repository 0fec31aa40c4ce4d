// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Whose names a checkpoint uses for the tensors of a ResNet.
package enum Dialect: Int, BitwiseCopyable, Sendable {
    /// torchvision's, which mmdetection and timm share for plain ResNets: ours.
    case torchvision
    case detectron2
    /// Blobs of Caffe2 and Detectron.
    case caffe2

    static var count: Int { 3 }

    package var name: StaticString {
        switch self {
        case .torchvision: "torchvision"
        case .detectron2: "detectron2"
        case .caffe2: "caffe2"
        }
    }

    /// Two names that every ResNet has, one of the stem and one of the first stage: where both stand behind the same
    /// prefix, a ResNet stands.
    var stem: StaticString {
        switch self {
        case .torchvision: "conv1.weight"
        case .detectron2: "stem.conv1.weight"
        case .caffe2: "conv1_w"
        }
    }

    var firstStage: StaticString {
        switch self {
        case .torchvision: "layer1.0.conv1.weight"
        case .detectron2: "res2.0.conv1.weight"
        case .caffe2: "res2_0_branch2a_w"
        }
    }

    /// Whether its BatchNorms may be mere affine maps, saved without statistics: those of `FrozenBatchNorm2d` before its
    /// version 2, and of `AffineChannel`.
    var mayLackStatistics: Bool { self != .torchvision }

    /// Appends our name for a name of the file, without its prefix.
    ///
    /// - Returns: whether there is one; if not, what was appended is for the caller to remove. Every name is a name of
    ///   torchvision's, known or not.
    func translate(_ name: Bytes, to out: inout UniqueArray<UInt8>) throws(BackboneError) -> Bool {
        var reader = NameReader(name)
        switch self {
        case .torchvision:
            try out.append(name)
            return true
        case .detectron2: return try Detectron2Names.translate(&reader, to: &out)
        case .caffe2: return try Caffe2Names.translate(&reader, to: &out)
        }
    }

    /// Whether a name of the file, without its prefix, is of no consequence though it stands with the backbone's.
    func isIgnorable(_ name: Bytes) -> Bool {
        switch self {
        case .torchvision: false
        case .detectron2: equal(name, "stem.conv1.bias")
        case .caffe2: Caffe2Names.isIgnorable(name)
        }
    }
}

/// Whether one of our names belongs to a ResNet or its classifier.
func isResNetName(_ name: Bytes) -> Bool {
    var reader = NameReader(name)
    if reader.take("conv1.") || reader.take("bn1.") || reader.take("fc.") { return true }
    return reader.take("layer") && reader.number(in: 1...4) != nil && reader.take(".")
        && reader.number(in: NameReader.blocks) != nil && reader.take(".")
}
