// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The project whose names a checkpoint uses for the tensors of a ResNet. A new one needs a grammar, and a case here.
package enum Dialect: Int, BitwiseCopyable, Sendable {
    // Sorted by preference, for names that fit several.
    case torchvision, timm, convModule, huggingFace, detectron2, maskRCNNBenchmark, caffe2, layerZero, sequential,
        sequentialWithoutOne, sequentialWithoutBoth, sequentialOfStages, fasterRCNN, cifar, paddleDetection

    package var grammar: Grammar {
        switch self {
        case .torchvision: .torchvision
        case .timm: .timm
        case .convModule: .convModule
        case .huggingFace: .huggingFace
        case .detectron2: .detectron2
        case .maskRCNNBenchmark: .maskRCNNBenchmark
        case .caffe2: .caffe2
        case .layerZero: .layerZero
        case .sequential: .sequential
        case .sequentialWithoutOne: .sequentialWithoutOne
        case .sequentialWithoutBoth: .sequentialWithoutBoth
        case .sequentialOfStages: .sequentialOfStages
        case .fasterRCNN: .fasterRCNN
        case .cifar: .cifar
        case .paddleDetection: .paddleDetection
        }
    }

    /// Whether such files leave out the statistics of BatchNorms that were folded to affine maps.
    ///
    /// Caffe2's do (`AffineChannel`), also where the file has detectron2's names; norms of detectron2 itself always have
    /// statistics, so that one without any is a GroupNorm.
    ///
    /// - Parameter isCaffe: Whether the file says that its weights are from Caffe or Caffe2.
    package func foldsStatistics(isCaffe: Bool) -> Bool { self == .caffe2 || self == .detectron2 && isCaffe }
}
