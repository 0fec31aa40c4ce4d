// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

extension Activation {
    /// Floats of the pixels of one row, without its border.
    var rowFloats: Int { width * channels }
}

/// The larger of `x` and 0, and NaN for NaN, as PyTorch's ReLU.
@inline(__always)
func relu(_ x: Float) -> Float { x < 0 ? 0 : x }
