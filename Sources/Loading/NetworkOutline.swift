// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// What the names and shapes of a state dict say of the network that it was saved from, whether its tensors can be read or
/// not.
struct NetworkOutline: BitwiseCopyable {
    /// How many blocks layer1 to layer4 have: one more than the highest number in a name.
    private(set) var blockCounts: [4 of Int] = .init(repeating: 0)
    /// Whether blocks have a third convolution.
    private(set) var isBottleneck = false
    /// Of the first convolution's weights: channels that come out of it and go into it; nil if it is not there.
    private(set) var stem: (outputs: Int64, inputs: Int64)?
    /// The channels that go into the first stage; nil if that is not there.
    private(set) var stageInputs: Int64?
    /// The type of all convolutions' weights; nil if there is none.
    private(set) var dtype: DType?
    /// Whether they are of different types.
    private(set) var hasMixedTypes = false
    /// Whether there are any running_mean or running_var.
    private(set) var hasStatistics = false
    /// Whether there are norms at all.
    private(set) var hasNorms = false
    /// Whether any BatchNorm counts batches, as PyTorch's do since 0.4.1 and FrozenBatchNorms do not.
    private(set) var hasCounts = false

    init(_ dict: borrowing StateDict) {
        for index in 0..<dict.count {
            guard let name = dict.name(index) else { continue }
            var reader = NameReader(name)
            let shape = dict.shape(index)
            if reader.take("layer"), let stage = reader.number(in: 1...4), reader.take("."),
                let block = reader.number(in: NameReader.blocks), reader.take(".")
            {
                blockCounts[stage - 1] = max(blockCounts[stage - 1], block + 1)
                if reader.rest.hasPrefix("conv3.") { isBottleneck = true }
                if shape.count == 4, name.hasPrefix("layer1.0.conv1.") { stageInputs = shape[1] }
            } else if name.hasPrefix("conv1.weight") || name.hasPrefix("conv1.parametrizations.weight."),
                shape.count == 4
            {
                // The weight, or what it is computed from.
                stem = (shape[0], shape[1])
            } else if !reader.take("bn1.") {
                continue
            }
            if name.hasSuffix(".running_mean") || name.hasSuffix(".running_var") { hasStatistics = true }
            if name.hasSuffix(".num_batches_tracked") { hasCounts = true }
            if shape.count == 1 && name.hasSuffix(".weight") { hasNorms = true }
            if let dtype = dict.dtype(index), shape.count == 4 { add(dtype) }
        }
    }

    private mutating func add(_ type: DType) {
        if let dtype, dtype != type { hasMixedTypes = true }
        dtype = type
    }

    /// The one of the five networks that these are the blocks of.
    var depth: Depth? { Depth.matching(blockCounts, isBottleneck: isBottleneck) }
}
