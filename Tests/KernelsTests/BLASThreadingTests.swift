// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import COpenBLAS
import CTestSupport
import Testing

@testable import Kernels

/// In forked children, alone with OpenBLAS: its number of threads belongs to the whole process, where other tests run.
@Suite(.serialized, .disabled(if: test_has_thread_sanitizer() != 0)) struct BLASThreadingTests {
    @Test func givesBackTheHostsNumberOfThreads() {
        let failedStep = test_in_forked_child(
            { _ in
                openblas_set_num_threads(2)
                BLASThreading.enter()
                guard openblas_get_num_threads() == 1 else { return 1 }
                BLASThreading.enter()
                BLASThreading.leave()
                guard openblas_get_num_threads() == 1 else { return 2 }
                BLASThreading.leave()
                return openblas_get_num_threads() == 2 ? 0 : 3
            }, nil, 20)
        #expect(failedStep == 0)
    }

    /// A child of a process that is inside has nobody inside: it starts from the number of threads that the host had set.
    @Test func startsAnewInAForkedChild() {
        let failedStep = test_in_forked_child(
            { _ in
                openblas_set_num_threads(2)
                BLASThreading.enter()
                let failedStep = test_in_forked_child(
                    { _ in
                        BLASThreading.enter()
                        guard openblas_get_num_threads() == 1 else { return 1 }
                        BLASThreading.leave()
                        return openblas_get_num_threads() == 2 ? 0 : 2
                    }, nil, 20)
                BLASThreading.leave()
                guard failedStep == 0 else { return failedStep }
                return openblas_get_num_threads() == 2 ? 0 : 3
            }, nil, 20)
        #expect(failedStep == 0)
    }
}
