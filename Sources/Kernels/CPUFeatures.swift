// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// What the CPU at hand can do, as far as kernels care.
package enum CPUFeatures {
    /// AVX2 and FMA, and an operating system that keeps their registers.
    package static var hasAVX2: Bool { shims_cpu_has_avx2_fma() != 0 }
}
