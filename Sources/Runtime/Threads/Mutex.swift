// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A mutual exclusion lock. In a forked child it is free, whoever held it in the parent.
// Public: see UniqueArray.
public struct Mutex: ~Copyable {
    private let state: UnsafeMutablePointer<MutexState>

    /// - Throws: `outOfMemory`.
    package init() throws(BackboneError) {
        state = try Heap.allocate(MutexState.self, count: 1)
        state.initialize(to: MutexState())
    }

    deinit {
        if state.pointee.owner == shims_fork_generation() { pthread_mutex_destroy(&state.pointee.mutex) }
        Heap.deallocate(state)
    }

    package borrowing func lock() {
        if shims_fork_begin(&state.pointee.owner) != 0 {
            pthread_mutex_init(&state.pointee.mutex, nil)
            shims_fork_end(&state.pointee.owner)
        }
        pthread_mutex_lock(&state.pointee.mutex)
    }

    package borrowing func unlock() {
        pthread_mutex_unlock(&state.pointee.mutex)
    }
}

extension Mutex: @unchecked Sendable {}

private struct MutexState {
    var owner: Int32 = 0
    var mutex = pthread_mutex_t()
}
