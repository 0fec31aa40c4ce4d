// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import COpenBLAS
import CShims
import CTestSupport
import Testing

@testable import Kernels
@testable import Runtime

/// In forked children, alone with OpenBLAS: its number of threads belongs to the whole process, where other tests run.
@Suite(.serialized, .disabled(if: test_has_thread_sanitizer() != 0)) struct BLASThreadingTests {
    @Test func givesBackTheHostsNumberOfThreads() {
        let failedStep = test_in_forked_child(
            { _ in
                openblas_set_num_threads(2)
                guard entered(threads: 1) else { return 4 }
                guard openblas_get_num_threads() == 1 else { return 1 }
                guard entered(threads: 2) else { return 5 }
                BLASThreading.leave(threads: 2)
                guard openblas_get_num_threads() == 1 else { return 2 }
                BLASThreading.leave(threads: 1)
                return openblas_get_num_threads() == 2 ? 0 : 3
            }, nil, 20)
        #expect(failedStep == 0)
    }

    /// A child of a process that is inside has nobody inside: it starts from the number of threads that the host had set.
    @Test func startsAnewInAForkedChild() {
        let failedStep = test_in_forked_child(
            { _ in
                openblas_set_num_threads(2)
                guard entered(threads: 2) else { return 4 }
                let failedStep = test_in_forked_child(
                    { _ in
                        guard entered(threads: 1) else { return 4 }
                        guard openblas_get_num_threads() == 1 else { return 1 }
                        BLASThreading.leave(threads: 1)
                        return openblas_get_num_threads() == 2 ? 0 : 2
                    }, nil, 20)
                BLASThreading.leave(threads: 2)
                guard failedStep == 0 else { return failedStep }
                return openblas_get_num_threads() == 2 ? 0 : 3
            }, nil, 20)
        #expect(failedStep == 0)
    }

    /// OpenBLAS itself would try for ever.
    @Test func isAnErrorWithoutMemoryForBuffers() {
        let failedStep = test_in_forked_child(
            { _ in
                openblas_set_num_threads(2)
                guard entered(threads: 2) else { return 1 }
                guard test_limit_memory(100 << 20) == 0 else { return 2 }
                // As many threads as before need no more memory.
                BLASThreading.leave(threads: 2)
                guard entered(threads: 1), entered(threads: 1) else { return 3 }
                guard !entered(threads: 1) else { return 4 }
                guard openblas_get_num_threads() == 1 else { return 5 }
                BLASThreading.leave(threads: 1)
                BLASThreading.leave(threads: 1)
                guard openblas_get_num_threads() == 2, !entered(threads: .max) else { return 6 }
                return openblas_get_num_threads() == 2 && entered(threads: 2) ? 0 : 7
            }, nil, 20)
        #expect(failedStep == 0)
    }
}

/// Whether `BLASThreading.enter` had the memory.
private func entered(threads: Int) -> Bool {
    do throws(BackboneError) { try BLASThreading.enter(threads: threads) } catch {
        return error.kind == .outOfMemory ? false : true
    }
    return true
}
