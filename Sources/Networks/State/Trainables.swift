// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Which parameters outside of frozen stages are trained, with the numbers of the `BACKBONE_TRAINABLE_*` constants.
package enum Trainables: Int32, BitwiseCopyable, Sendable {
    case all = 0
    /// Weights and biases of norms.
    case norms = 1
    /// Parameters of the classifier.
    case head = 2
}
