// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The options of a tape.
package struct TapeOptions: BitwiseCopyable {
    /// Whether the gradient of the image can be requested; then frozen parts are computed with the rest.
    package var wantsInputGradient = false
    /// Whether several backward passes are allowed.
    package var isRetained = false
    /// Whether the backward pass recomputes activations within a segment instead of keeping them.
    package var recomputes = false

    package init() {}
}
