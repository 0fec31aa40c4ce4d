// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// One entry of the state dict: a parameter or a buffer of one unit.
package struct StateEntry: BitwiseCopyable, Sendable {
    package enum Role: BitwiseCopyable, Sendable {
        case convolutionWeight, normWeight, normBias, runningMean, runningVar, batchesTracked

        /// Parameters can be trained, buffers are kept by the BatchNorm itself.
        package var isParameter: Bool {
            switch self {
            case .convolutionWeight, .normWeight, .normBias: true
            case .runningMean, .runningVar, .batchesTracked: false
            }
        }
    }

    package let role: Role
    /// Index of the unit it belongs to.
    package let unit: Int
    /// Where its zero-terminated name begins in the network's text.
    package let nameOffset: Int
    package let nameCount: Int
    /// Dimensions in use: 4, 1, or 0 for num_batches_tracked. Unused sizes are 1.
    package let dimensions: Int
    package let shape: (Int64, Int64, Int64, Int64)
    /// Where the same sizes begin in the network's list of sizes, which has an address.
    let shapeOffset: Int

    /// Whether it is the weight of the first convolution, whose input channels are the image's.
    package var isStemWeight: Bool { unit == 0 && role == .convolutionWeight }

    package var elementCount: Int { Int(shape.0 * shape.1 * shape.2 * shape.3) }

    /// Size in bytes: float32, num_batches_tracked int64.
    package var byteCount: Int {
        elementCount * (role == .batchesTracked ? MemoryLayout<Int64>.size : MemoryLayout<Float>.size)
    }
}
