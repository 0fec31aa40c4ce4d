// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The BLAS of the portable kernels: loaded when they are first chosen, since other CPUs do not need it.
enum OpenBLAS {
    /// - Throws: `io` if it cannot be loaded.
    static func load() throws(BackboneError) {
        guard let reason = shims_load_blas(Int32(clamping: ThreadLimit.defaultCount)) else { return }
        throw BackboneError(
            .io,
            """
            \(cause), and OpenBLAS, which the portable kernels need, could not be loaded: \(reason); install it \
            (Debian: libopenblas0)
            """
        )
    }

    /// The reason why the portable kernels were chosen.
    private static var cause: StaticString {
        #if arch(arm64)
            "the CPU's vector instructions are disabled"
        #else
            "this CPU lacks AVX2 or FMA"
        #endif
    }

    /// Its functions; `load` must have succeeded.
    static var functions: shims_blas {
        guard let functions = shims_blas() else { preconditionFailure("OpenBLAS is loaded first") }
        return functions.pointee
    }

    /// CblasRowMajor, CblasNoTrans and CblasTrans of cblas.h.
    static let rowMajor: Int32 = 101
    static let noTranspose: Int32 = 111
    static let transpose: Int32 = 112
}
