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
        if state.pointee.process == getpid() { pthread_mutex_destroy(&state.pointee.mutex) }
        Heap.deallocate(state)
    }

    package borrowing func lock() {
        if shims_fork_begin(&state.pointee.process) != 0 {
            pthread_mutex_init(&state.pointee.mutex, nil)
            shims_fork_end(&state.pointee.process)
        }
        pthread_mutex_lock(&state.pointee.mutex)
    }

    package borrowing func unlock() {
        pthread_mutex_unlock(&state.pointee.mutex)
    }
}

extension Mutex: @unchecked Sendable {}

private struct MutexState {
    var process: Int32 = 0
    var mutex = pthread_mutex_t()
}

/// A lock that many readers or one writer hold; a waiting writer goes before further readers, so a thread must not take
/// it twice. In a forked child it is free, whoever held it in the parent.
// Public: see UniqueArray.
public struct ReadWriteLock: ~Copyable {
    private let state: UnsafeMutablePointer<ReadWriteLockState>

    /// - Throws: `outOfMemory`.
    package init() throws(BackboneError) {
        state = try Heap.allocate(ReadWriteLockState.self, count: 1)
        state.initialize(to: ReadWriteLockState())
    }

    deinit {
        if state.pointee.process == getpid() { pthread_rwlock_destroy(&state.pointee.lock) }
        Heap.deallocate(state)
    }

    package borrowing func lockShared() {
        resetAfterFork()
        pthread_rwlock_rdlock(&state.pointee.lock)
    }

    package borrowing func lockExclusive() {
        resetAfterFork()
        pthread_rwlock_wrlock(&state.pointee.lock)
    }

    package borrowing func unlock() {
        pthread_rwlock_unlock(&state.pointee.lock)
    }

    private borrowing func resetAfterFork() {
        guard shims_fork_begin(&state.pointee.process) != 0 else { return }
        shims_rwlock_init(&state.pointee.lock)
        shims_fork_end(&state.pointee.process)
    }
}

extension ReadWriteLock: @unchecked Sendable {}

private struct ReadWriteLockState {
    var process: Int32 = 0
    var lock = pthread_rwlock_t()
}
