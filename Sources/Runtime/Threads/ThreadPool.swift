// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Threads that compute the blocks of a job together with the calling thread.
///
/// They start at the first job that can use them and sleep between jobs; the pool asks again for refused threads after
/// some jobs. A forked child has none of its parent's threads and starts its own at its first job.
///
/// The threads compute with the library's floating-point environment, which a caller of `run` must have too.
// Public: see UniqueArray.
public struct ThreadPool: ~Copyable {
    /// The work of one job: `body(context, index, worker)` with `0 <= worker < threadCount`.
    package typealias Body = @convention(c) (UnsafeMutableRawPointer, Int, Int) -> Void

    /// Threads that one job may use, the caller's included.
    package let threadCount: Int

    private let workers: Buffer<ThreadPoolWorker>
    private let atomics: Buffer<ThreadPoolAtomics>
    private let shares: Buffer<ThreadPoolShare>
    private let state: UnsafeMutablePointer<ThreadPoolState>

    /// A pool without threads as yet.
    ///
    /// - Throws: `outOfMemory`.
    package init(threads: Int) throws(BackboneError) {
        let threadCount = max(threads, 1)
        let workers = try Buffer<ThreadPoolWorker>(count: threadCount - 1)
        let atomics = try Buffer<ThreadPoolAtomics>(count: 1)
        let shares = try Buffer<ThreadPoolShare>(count: threadCount)
        let state = try Heap.allocate(ThreadPoolState.self, count: 1)
        atomics.start.initialize(to: ThreadPoolAtomics())
        shares.start.initialize(repeating: ThreadPoolShare(), count: threadCount)
        state.initialize(
            to: ThreadPoolState(
                workers: workers.start, atomics: atomics.start,
                shares: UnsafeMutableBufferPointer(start: shares.start, count: threadCount)))
        self.threadCount = threadCount
        self.workers = workers
        self.atomics = atomics
        self.shares = shares
        self.state = state
    }

    /// Stops and joins the threads. No job may be in progress.
    deinit {
        // Except threads of a parent process, and the conditions on which they slept.
        if atomics.start.pointee.owner == shims_fork_generation() { ThreadPoolState.stop(state) }
        Heap.deallocate(state)
    }

    /// Calls `body` for every index below `count` on any of the threads, and returns when all are done.
    ///
    /// Each thread begins with a part of the indices of its own, unless they are to be taken in order: then none begins
    /// before all lower ones have.
    ///
    /// The calling thread is worker 0. While a job is in progress, another thread's call computes all its indices itself,
    /// as worker 0 too: data that `body` keeps for each worker must belong to the job.
    ///
    /// - Parameter cancellation: Once cancelled, `body` is not called for the remaining indices.
    package borrowing func run(
        count: Int, inOrder: Bool = false, cancellation: Cancellation = .none, context: UnsafeMutableRawPointer,
        body: @escaping Body
    ) {
        let job = ThreadPoolJob(context: context, body: body, cancellation: cancellation)
        if count > 1, threadCount > 1, ThreadPoolState.open(state, job, count: count, parts: inOrder ? 1 : threadCount)
        {
            ThreadPoolState.work(state, job, worker: 0)
            ThreadPoolState.close(state)
        } else {
            for index in 0..<max(count, 0) {
                if cancellation.isCancelled { return }
                body(context, index, 0)
            }
        }
    }
}

extension ThreadPool: @unchecked Sendable {}
