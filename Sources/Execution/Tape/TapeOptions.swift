// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// What a tape is for.
package struct TapeOptions: BitwiseCopyable {
    /// Whether the gradient of the image can be asked for; then nothing that is frozen is computed apart.
    package var wantsInputGradient = false
    /// Whether the way back can be gone several times.
    package var isRetained = false
    /// Whether activations within a segment are computed again on the way back instead of being kept.
    package var recomputes = false

    package init() {}
}
