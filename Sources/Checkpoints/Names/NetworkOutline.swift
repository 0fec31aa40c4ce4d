// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// What the names and shapes of a state dict say of the network that it was saved from.
package struct NetworkOutline: BitwiseCopyable {
    /// How many blocks layer1 to layer4 have: one more than the highest number in a name.
    package private(set) var blockCounts: [4 of Int] = .init(repeating: 0)
    /// Whether blocks have a third convolution.
    package private(set) var isBottleneck = false
    /// Of the first convolution's weights: channels that come out of it and go into it; nil if it is not there.
    package private(set) var stem: (outputs: Int64, inputs: Int64)?
    /// The type of all convolutions' weights; nil if there is none.
    package private(set) var dtype: DType?
    /// Whether they are of different types.
    package private(set) var hasMixedTypes = false
    /// Whether there are any running_mean or running_var.
    package private(set) var hasStatistics = false
    /// Whether any BatchNorm counts batches, as PyTorch's do since 0.4.1 and FrozenBatchNorms do not.
    package private(set) var hasCounts = false

    init(_ dict: borrowing StateDict) {
        for index in 0..<dict.count {
            guard let name = dict.name(index), let dtype = dict.dtype(index) else { continue }
            var reader = NameReader(name)
            if reader.take("layer"), let stage = reader.number(in: 1...4), reader.take("."),
                let block = reader.number(in: NameReader.blocks), reader.take(".")
            {
                blockCounts[stage - 1] = max(blockCounts[stage - 1], block + 1)
                if reader.rest.hasPrefix("conv3.") { isBottleneck = true }
            } else if equal(name, "conv1.weight"), dict.shape(index).count == 4 {
                stem = (dict.shape(index)[0], dict.shape(index)[1])
            } else if !reader.take("bn1.") {
                continue
            }
            if name.hasSuffix(".running_mean") || name.hasSuffix(".running_var") { hasStatistics = true }
            if name.hasSuffix(".num_batches_tracked") { hasCounts = true }
            if dict.shape(index).count == 4 { add(dtype) }
        }
    }

    private mutating func add(_ type: DType) {
        if let dtype, dtype != type { hasMixedTypes = true }
        dtype = type
    }
}

extension StateDict {
    package var outline: NetworkOutline { NetworkOutline(self) }
}
