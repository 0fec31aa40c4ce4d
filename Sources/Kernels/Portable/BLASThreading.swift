// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Keeps OpenBLAS from starting threads inside ours.
///
/// Its number of threads is one setting for the whole process, which the host may use too. While any call is between
/// `enter` and `leave` it is 1; the last call to leave restores the host's number, which the first one saved.
package enum BLASThreading {
    package static func enter() {
        let scope = lockedScope()
        if scope.pointee.users == 0 {
            scope.pointee.saved_threads = OpenBLAS.functions.get_num_threads()
            if scope.pointee.saved_threads != 1 { OpenBLAS.functions.set_num_threads(1) }
        }
        scope.pointee.users += 1
        pthread_mutex_unlock(&scope.pointee.mutex)
    }

    package static func leave() {
        let scope = lockedScope()
        scope.pointee.users -= 1
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
            shims_fork_end(&scope.pointee.owner)
        }
        pthread_mutex_lock(&scope.pointee.mutex)
        return scope
    }
}
