// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A lock that many readers or one writer hold; a waiting writer goes before further readers, so a thread must not take
/// it twice. In a forked child it is free, whoever held it in the parent.
///
/// Not pthread's: a writer can become a reader without letting another writer in between, and a wait can be cancelled
/// without losing its place to the readers that come meanwhile.
// Public: see UniqueArray.
public struct ReadWriteLock: ~Copyable {
    private let state: UnsafeMutablePointer<ReadWriteLockState>
    /// The process that the state belongs to, checked before locking the mutex. In memory of its own: to take
    /// the address of a field is, to Swift, to change the state that others use.
    private let owner: Buffer<Int32>

    /// - Throws: `outOfMemory`.
    package init() throws(BackboneError) {
        let owner = try Buffer<Int32>(count: 1)
        owner.start.initialize(to: 0)
        state = try Heap.allocate(ReadWriteLockState.self, count: 1)
        state.initialize(to: ReadWriteLockState())
        self.owner = owner
    }

    deinit {
        if owner.start.pointee == shims_fork_generation() {
            pthread_cond_destroy(&state.pointee.readersTurn)
            pthread_cond_destroy(&state.pointee.writersTurn)
            pthread_mutex_destroy(&state.pointee.mutex)
        }
        Heap.deallocate(state)
    }

    package borrowing func lockShared() { _ = ReadWriteLockState.lockShared(state, owner.start, .none) }

    package borrowing func lockExclusive() { _ = ReadWriteLockState.lockExclusive(state, owner.start, .none) }

    /// - Throws: `cancelled` while it waits; then nothing is locked.
    package borrowing func lockShared(_ cancellation: Cancellation) throws(BackboneError) {
        if !ReadWriteLockState.lockShared(state, owner.start, cancellation) { try cancellation.check() }
    }

    /// - Throws: `cancelled` while it waits; then nothing is locked.
    package borrowing func lockExclusive(_ cancellation: Cancellation) throws(BackboneError) {
        if !ReadWriteLockState.lockExclusive(state, owner.start, cancellation) { try cancellation.check() }
    }

    /// Makes a reader of the writer, before any other writer.
    package borrowing func downgrade() { ReadWriteLockState.downgrade(state) }

    package borrowing func unlock() { ReadWriteLockState.unlock(state) }
}

extension ReadWriteLock: @unchecked Sendable {}

private struct ReadWriteLockState {
    /// Guards all that follows.
    var mutex = pthread_mutex_t()
    var readersTurn = pthread_cond_t()
    var writersTurn = pthread_cond_t()
    var readerCount = 0
    var waitingWriterCount = 0
    var isWriting = false

    /// Whether the lock was taken: not if the wait was cancelled.
    static func lockShared(
        _ state: UnsafeMutablePointer<Self>, _ owner: UnsafeMutablePointer<Int32>, _ cancellation: Cancellation
    ) -> Bool {
        enter(state, owner)
        defer { pthread_mutex_unlock(&state.pointee.mutex) }
        while state.pointee.isWriting || state.pointee.waitingWriterCount > 0 {
            if cancellation.isCancelled { return false }
            wait(state, &state.pointee.readersTurn, cancellation)
        }
        state.pointee.readerCount += 1
        return true
    }

    /// Whether the lock was taken: not if the wait was cancelled.
    static func lockExclusive(
        _ state: UnsafeMutablePointer<Self>, _ owner: UnsafeMutablePointer<Int32>, _ cancellation: Cancellation
    ) -> Bool {
        enter(state, owner)
        defer { pthread_mutex_unlock(&state.pointee.mutex) }
        state.pointee.waitingWriterCount += 1
        var isCancelled = false
        while !isCancelled && (state.pointee.isWriting || state.pointee.readerCount > 0) {
            isCancelled = cancellation.isCancelled
            if !isCancelled { wait(state, &state.pointee.writersTurn, cancellation) }
        }
        state.pointee.waitingWriterCount -= 1
        if isCancelled {
            // It may have got its turn.
            pass(state)
            return false
        }
        state.pointee.isWriting = true
        return true
    }

    static func downgrade(_ state: UnsafeMutablePointer<Self>) {
        pthread_mutex_lock(&state.pointee.mutex)
        state.pointee.isWriting = false
        state.pointee.readerCount = 1
        pass(state)
        pthread_mutex_unlock(&state.pointee.mutex)
    }

    static func unlock(_ state: UnsafeMutablePointer<Self>) {
        pthread_mutex_lock(&state.pointee.mutex)
        if state.pointee.isWriting { state.pointee.isWriting = false } else { state.pointee.readerCount -= 1 }
        pass(state)
        pthread_mutex_unlock(&state.pointee.mutex)
    }

    /// Wakes the threads whose turn it is.
    private static func pass(_ state: UnsafeMutablePointer<Self>) {
        if state.pointee.isWriting { return }
        if state.pointee.waitingWriterCount == 0 {
            pthread_cond_broadcast(&state.pointee.readersTurn)
        } else if state.pointee.readerCount == 0 {
            pthread_cond_signal(&state.pointee.writersTurn)
        }
    }

    /// A cancel, which may come from a signal handler, does not wake threads: cancellable waits check for it.
    private static func wait(
        _ state: UnsafeMutablePointer<Self>, _ turn: UnsafeMutablePointer<pthread_cond_t>, _ cancellation: Cancellation
    ) {
        if cancellation.isPossible {
            shims_cond_wait_briefly(turn, &state.pointee.mutex)
        } else {
            pthread_cond_wait(turn, &state.pointee.mutex)
        }
    }

    /// Locks the mutex; in a new process that of a new state.
    private static func enter(_ state: UnsafeMutablePointer<Self>, _ owner: UnsafeMutablePointer<Int32>) {
        if shims_fork_begin(owner) != 0 {
            pthread_mutex_init(&state.pointee.mutex, nil)
            _ = shims_cond_init(&state.pointee.readersTurn)
            _ = shims_cond_init(&state.pointee.writersTurn)
            state.pointee.readerCount = 0
            state.pointee.waitingWriterCount = 0
            state.pointee.isWriting = false
            shims_fork_end(owner)
        }
        pthread_mutex_lock(&state.pointee.mutex)
    }
}
