// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import COpenBLAS
import CTestSupport
import Testing

@testable import Kernels

@Suite(.serialized) struct BLASThreadingTests {
    @Test func givesBackTheHostsNumberOfThreads() {
        let original = openblas_get_num_threads()
        defer { openblas_set_num_threads(original) }
        openblas_set_num_threads(2)
        BLASThreading.enter()
        #expect(openblas_get_num_threads() == 1)
        BLASThreading.enter()
        BLASThreading.leave()
        #expect(openblas_get_num_threads() == 1)
        BLASThreading.leave()
        #expect(openblas_get_num_threads() == 2)
    }

    /// A child of a process that is inside has nobody inside: it starts from the number of threads that the host had set.
    @Test(.disabled(if: test_has_thread_sanitizer() != 0)) func startsAnewInAForkedChild() {
        let original = openblas_get_num_threads()
        defer { openblas_set_num_threads(original) }
        openblas_set_num_threads(2)
        BLASThreading.enter()
        let status = test_in_forked_child(
            { _ in
                BLASThreading.enter()
                guard openblas_get_num_threads() == 1 else { return 1 }
                BLASThreading.leave()
                return openblas_get_num_threads() == 2 ? 0 : 2
            }, nil, 20)
        BLASThreading.leave()
        #expect(status == 0)
        #expect(openblas_get_num_threads() == 2)
    }
}
