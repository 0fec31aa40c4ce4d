// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import COpenBLAS
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
}
