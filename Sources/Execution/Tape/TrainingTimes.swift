// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The parts of the time of a training step.
package enum TrainingPart: Int, CaseIterable, Sendable {
    /// The stages that are frozen.
    case frozen
    /// Folding and packing weights, in both directions.
    case packing
    /// The convolutions of the forward pass.
    case forward
    /// Gradients of convolutions with respect to their inputs, and to their weights.
    case dataGradients, weightGradients
    /// Norms, functions, sums and poolings, in both directions.
    case rest
}

/// The time of each part in nanoseconds, for benchmarks.
package struct TrainingTimes: BitwiseCopyable {
    private var nanoseconds = InlineArray<6, Int>(repeating: 0)

    package init() {}

    package subscript(part: TrainingPart) -> Int { nanoseconds[part.rawValue] }

    mutating func add(_ part: TrainingPart, since start: Int) {
        nanoseconds[part.rawValue] += shims_nanoseconds() - start
    }
}
