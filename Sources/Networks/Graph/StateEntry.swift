// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// One entry of the state dict: a parameter or a buffer of one node.
package struct StateEntry: BitwiseCopyable, Sendable {
    package enum Role: BitwiseCopyable, Sendable {
        case weight, bias, runningMean, runningVar, batchesTracked

        /// Parameters can be trained, buffers are kept by the norm itself.
        package var isParameter: Bool {
            switch self {
            case .weight, .bias: true
            case .runningMean, .runningVar, .batchesTracked: false
            }
        }

        /// The last part of its name.
        var suffix: StaticString {
            switch self {
            case .weight: ".weight"
            case .bias: ".bias"
            case .runningMean: ".running_mean"
            case .runningVar: ".running_var"
            case .batchesTracked: ".num_batches_tracked"
            }
        }
    }

    package let role: Role
    /// Index of the node it belongs to.
    package let node: Int
    /// The offset of its zero-terminated name in the graph's text.
    let name: TextRange
    /// Dimensions in use: 4 to 1, or 0 for num_batches_tracked. Unused sizes are 1.
    package let dimensions: Int
    package let shape: (Int64, Int64, Int64, Int64)
    /// The offset of the same sizes in the graph's list of sizes, which has an address.
    let shapeOffset: Int
    /// The offset of its values among all floats of a network, or of its value among the counters.
    package let valueOffset: Int
    /// Floats of the parameters before it: its offset among all parameters, if it is one.
    package let parametersBefore: Int

    package var elementCount: Int { Int(shape.0 * shape.1 * shape.2 * shape.3) }

    /// Size in bytes: float32, num_batches_tracked int64.
    package var byteCount: Int {
        elementCount * (role == .batchesTracked ? MemoryLayout<Int64>.size : MemoryLayout<Float>.size)
    }
}
