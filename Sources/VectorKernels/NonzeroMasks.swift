// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

extension Leaves {
    /// Which channels of a pixel are not zero, a bit for each: bit `k` of `masks[word * stride]` is that of channel
    /// `64 * word + k`. NaN is not zero, -0 is.
    @inline(never)
    package static func nonzeroMasks(
        _ pixel: UnsafePointer<Float>, words: Int, masks: UnsafeMutablePointer<UInt64>, stride: Int
    ) {
        for word in 0..<words {
            let channels = pixel + 64 &* word
            masks[word &* stride] =
                UInt64(shims_nonzero_bits(channels)) | UInt64(shims_nonzero_bits(channels + 32)) << 32
        }
    }
}
