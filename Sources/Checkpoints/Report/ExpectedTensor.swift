// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// A tensor that a network has and a checkpoint should.
package struct ExpectedTensor: BitwiseCopyable {
    /// The types of a network's parameters and buffers.
    package enum Kind: BitwiseCopyable, Sendable {
        /// Filled from any floating-point type.
        case float32
        /// A count, which does not affect features: filled from any value that is one number.
        case int64
    }

    package let name: Bytes
    package let shape: UnsafeBufferPointer<Int64>
    package let kind: Kind
    /// Whether the file may lack it without effect: `num_batches_tracked` before PyTorch 0.4.1.
    package let mayBeMissing: Bool
    /// Whether it has a default for files without any statistics.
    package let isStatistic: Bool
    /// The largest size that dimension 1, the input channels, may have in a file whose tensor the caller converts; nil
    /// if it must be that of `shape`.
    package let mostChannels: Int64?

    /// - Parameters:
    ///   - name: and `shape` are borrowed until the matching is done.
    package init(
        name: Bytes, shape: UnsafeBufferPointer<Int64>, dtype: Kind, mayBeMissing: Bool, isStatistic: Bool = false,
        mostChannels: Int64? = nil
    ) {
        self.name = name
        self.shape = shape
        kind = dtype
        self.mayBeMissing = mayBeMissing
        self.isStatistic = isStatistic
        self.mostChannels = mostChannels
    }
}
