// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// Keeps OpenBLAS from starting threads inside ours, and from needing memory there.
///
/// Its number of threads is one setting for the whole process, which the host may use too. While any call is between
/// `enter` and `leave` it is 1; the last call to leave restores the host's number, which the first one saved.
///
/// Each product works in a buffer. Without memory for one OpenBLAS ends the process or tries forever, so `enter` ensures
/// that enough buffers exist.
package enum BLASThreading {
    /// - Parameter threads: threads that may compute a product at the same time; the same for `leave`.
    /// - Throws: `outOfMemory`; do not call `leave` then.
    package static func enter(threads: Int) throws(BackboneError) {
        let scope = lockedScope()
        defer { pthread_mutex_unlock(&scope.pointee.mutex) }
        let (sum, overflows) = scope.pointee.threads.addingReportingOverflow(Int32(clamping: threads))
        guard !overflows, shims_reserve_blas_buffers(scope, sum) == 0 else {
            throw BackboneError(
                .outOfMemory, "no memory for OpenBLAS, which needs 128 MiB for each of \(threads) threads; use fewer")
        }
        scope.pointee.threads = sum
        if scope.pointee.users == 0 {
            scope.pointee.saved_threads = OpenBLAS.functions.get_num_threads()
            if scope.pointee.saved_threads != 1 { OpenBLAS.functions.set_num_threads(1) }
        }
        scope.pointee.users += 1
    }

    package static func leave(threads: Int) {
        let scope = lockedScope()
        scope.pointee.users -= 1
        scope.pointee.threads -= Int32(clamping: threads)
        if scope.pointee.users == 0, scope.pointee.saved_threads != 1 {
            OpenBLAS.functions.set_num_threads(scope.pointee.saved_threads)
        }
        pthread_mutex_unlock(&scope.pointee.mutex)
    }

    /// In a forked child the threads that were inside are gone: the first call restores the number for them.
    private static func lockedScope() -> UnsafeMutablePointer<shims_blas_scope> {
        let scope = shims_the_blas_scope().unsafelyUnwrapped
        if shims_fork_begin(&scope.pointee.owner) != 0 {
            pthread_mutex_init(&scope.pointee.mutex, nil)
            if scope.pointee.users > 0 { OpenBLAS.functions.set_num_threads(scope.pointee.saved_threads) }
            scope.pointee.users = 0
            scope.pointee.threads = 0
            // Buffers that those threads had taken are lost.
            scope.pointee.buffers = 0
            shims_fork_end(&scope.pointee.owner)
        }
        pthread_mutex_lock(&scope.pointee.mutex)
        return scope
    }
}
