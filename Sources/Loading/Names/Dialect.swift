// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Runtime

/// Whose names a checkpoint uses for the tensors of a ResNet. A further one is a grammar, and a case here.
enum Dialect: Int, BitwiseCopyable {
    // In the order of preference where names fit several.
    case torchvision, convModule, huggingFace, detectron2, maskRCNNBenchmark, caffe2, layerZero, sequential,
        sequentialWithoutOne, sequentialWithoutBoth, sequentialOfStages, fasterRCNN, paddleDetection

    private var grammar: NameGrammar {
        switch self {
        case .torchvision: .torchvision
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
        case .paddleDetection: .paddleDetection
        }
    }

    /// The grammars of all dialects; the position of each is its `rawValue`.
    static func grammars() throws(BackboneError) -> UniqueArray<NameGrammar> {
        var list = UniqueArray<NameGrammar>()
        var number = 0
        while let dialect = Dialect(rawValue: number) {
            try list.append(dialect.grammar)
            number += 1
        }
        return list
    }

    init(of stateDict: borrowing StateDict) { self = Dialect(rawValue: stateDict.grammar) ?? .torchvision }

    /// Whether writers of such files leave out the statistics of BatchNorms that they have folded to affine maps.
    ///
    /// Caffe2's do (`AffineChannel`), also where the file has detectron2's names; norms of detectron2 itself always have
    /// statistics, so that one without any is a GroupNorm.
    func foldsStatistics(_ origin: Origin) -> Bool {
        self == .caffe2 || self == .detectron2 && origin == .caffe
    }
}
