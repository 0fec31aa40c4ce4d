// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The state that the workers of a pool and the threads with jobs share without a lock. It is separate, so that an
/// access to it is not an access to the rest.
struct ThreadPoolAtomics: BitwiseCopyable {
    /// The fork generation of the process that the pool's state belongs to; see `shims_fork_begin`.
    var owner: Int32 = 0
    /// Changes with every job that opens, and when the pool stops: a spinning worker reads it.
    var signal: Int32 = 0
    /// Whether workers are inside a closed job: the thread that closed it reads it while it spins.
    var isLeaving: Int32 = 0
}

/// A thread's share of the present job: indices that follow each other. The same part of each job, so that a thread
/// mostly reads data that it wrote in the previous job, from its own cache. Memory moves slowly between the caches of
/// two cores, more slowly without a common third-level cache. A worker that finishes its share takes work from the
/// others.
struct ThreadPoolShare: BitwiseCopyable {
    /// The first free index.
    var next = 0
    var end = 0
    // A cache line of its own.
    private let gap = InlineArray<6, Int>(repeating: 0)
}

/// The state that they share under a lock.
struct ThreadPoolState {
    /// Guards all following fields.
    var mutex = pthread_mutex_t()
    /// A job has opened, or the pool stops.
    var work = pthread_cond_t()
    /// The last worker has left a closed job.
    var done = pthread_cond_t()

    /// The present job, and its number.
    var job = ThreadPoolJob(context: nil, body: nil, cancellation: .none)
    var jobNumber = 0
    /// True from the opening of a job until its last worker has left.
    var isBusy = false
    /// Whether workers may still join the job: it does not wait for one that wakes up late.
    var isOpen = false
    var joinedCount = 0
    /// Workers that wait for `work`.
    var sleepingCount = 0

    let workers: UnsafeMutablePointer<ThreadPoolWorker>
    let atomics: UnsafeMutablePointer<ThreadPoolAtomics>
    /// One for each thread that a job may use.
    let shares: UnsafeMutableBufferPointer<ThreadPoolShare>
    var startedCount = 0
    /// The number of jobs after which refused threads are asked for again, now and after the next refusal.
    var jobsUntilStart = 0
    var jobsAfterRefusal = ThreadPoolState.firstJobsAfterRefusal
    var isStopping = false

    init(
        workers: UnsafeMutablePointer<ThreadPoolWorker>, atomics: UnsafeMutablePointer<ThreadPoolAtomics>,
        shares: UnsafeMutableBufferPointer<ThreadPoolShare>
    ) {
        self.workers = workers
        self.atomics = atomics
        self.shares = shares
    }
}

struct ThreadPoolJob: BitwiseCopyable {
    let context: UnsafeMutableRawPointer?
    let body: ThreadPool.Body?
    let cancellation: Cancellation
}

/// The start argument of a pool's thread.
struct ThreadPoolWorker: BitwiseCopyable {
    let state: UnsafeMutablePointer<ThreadPoolState>
    let index: Int
    var thread = pthread_t()
}

// All of these take the state's address: it is shared, so it is never in a Swift variable.
extension ThreadPoolState {
    /// Announces a job, unless another one runs or no thread can share it. The first `parts` threads get a
    /// share of its indices.
    static func open(
        _ state: UnsafeMutablePointer<ThreadPoolState>, _ job: ThreadPoolJob, count: Int, parts: Int
    ) -> Bool {
        let atomics = state.pointee.atomics
        if shims_fork_begin(&atomics.pointee.owner) != 0 {
            reset(state)
            shims_fork_end(&atomics.pointee.owner)
        }
        pthread_mutex_lock(&state.pointee.mutex)
        defer { pthread_mutex_unlock(&state.pointee.mutex) }
        guard !state.pointee.isBusy else { return false }
        start(state)
        guard state.pointee.startedCount > 0 else { return false }
        state.pointee.job = job
        state.pointee.jobNumber &+= 1
        let shares = state.pointee.shares
        let (size, larger) = count.quotientAndRemainder(dividingBy: parts)
        var start = 0
        for worker in 0..<shares.count {
            shares[worker].next = start
            if worker < parts { start += size + (worker < larger ? 1 : 0) }
            shares[worker].end = start
        }
        state.pointee.isBusy = true
        state.pointee.isOpen = true
        shims_atomic_store(&atomics.pointee.signal, atomics.pointee.signal &+ 1)
        for _ in 0..<min(count - 1, state.pointee.sleepingCount) { pthread_cond_signal(&state.pointee.work) }
        return true
    }

    /// Computes indices of a job until all are taken or it is cancelled: those of the worker's own share first, then the others'.
    static func work(_ state: UnsafeMutablePointer<ThreadPoolState>, _ job: ThreadPoolJob, worker: Int) {
        guard let body = job.body, let context = job.context else { return }
        let shares = state.pointee.shares
        for offset in 0..<shares.count {
            let share = shares.baseAddress.unsafelyUnwrapped + (worker + offset) % shares.count
            while true {
                let index = shims_atomic_next(&share.pointee.next)
                guard index < share.pointee.end else { break }
                if job.cancellation.isCancelled { return }
                body(context, index, worker)
            }
        }
    }

    /// Ends a job whose indices are all taken, or that is cancelled, once all workers are done.
    static func close(_ state: UnsafeMutablePointer<ThreadPoolState>) {
        pthread_mutex_lock(&state.pointee.mutex)
        state.pointee.isOpen = false
        if state.pointee.joinedCount > 0 {
            let atomics = state.pointee.atomics
            shims_atomic_store(&atomics.pointee.isLeaving, 1)
            pthread_mutex_unlock(&state.pointee.mutex)
            _ = spin(while: 1, &atomics.pointee.isLeaving)
            pthread_mutex_lock(&state.pointee.mutex)
        }
        while state.pointee.joinedCount > 0 { pthread_cond_wait(&state.pointee.done, &state.pointee.mutex) }
        state.pointee.isBusy = false
        pthread_mutex_unlock(&state.pointee.mutex)
    }

    /// Starts the threads at the first call. Fewer than requested, or none, are not an error: the caller does the rest.
    /// A process may be short of threads only for a moment, so later calls ask again, at growing intervals.
    private static func start(_ state: UnsafeMutablePointer<ThreadPoolState>) {
        let wanted = state.pointee.shares.count - 1
        guard state.pointee.startedCount < wanted else { return }
        guard state.pointee.jobsUntilStart == 0 else {
            state.pointee.jobsUntilStart -= 1
            return
        }
        // A thread inherits the mask of its creator: the host's signal handlers run on the host's own threads.
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        while state.pointee.startedCount < wanted {
            let worker = state.pointee.workers + state.pointee.startedCount
            worker.initialize(to: ThreadPoolWorker(state: state, index: state.pointee.startedCount + 1))
            guard shims_thread_create(&worker.pointee.thread, threadPoolMain, worker) == 0 else { break }
            state.pointee.startedCount += 1
        }
        pthread_sigmask(SIG_SETMASK, &previous, nil)
        guard state.pointee.startedCount < wanted else { return }
        state.pointee.jobsUntilStart = state.pointee.jobsAfterRefusal
        state.pointee.jobsAfterRefusal = min(2 * state.pointee.jobsAfterRefusal, mostJobsAfterRefusal)
    }

    /// About the jobs of one forward pass, times some hundred.
    private static var firstJobsAfterRefusal: Int { 64 }
    private static var mostJobsAfterRefusal: Int { 1 << 13 }

    /// Waits a short time for a number to change: longer than from one layer to the next, too short to matter if no
    /// other job comes. Waking a sleeping thread costs as much time as a small layer.
    private static func spin(while value: Int32, _ number: UnsafeMutablePointer<Int32>) -> Bool {
        for _ in 0..<spinCount {
            if shims_atomic_load(number) != value { return true }
            shims_spin_pause()
        }
        return false
    }

    /// About 50 microseconds.
    private static var spinCount: Int { 3000 }

    /// The life of a worker.
    fileprivate static func serve(_ state: UnsafeMutablePointer<ThreadPoolState>, worker: Int) {
        var lastJob = 0
        pthread_mutex_lock(&state.pointee.mutex)
        while !state.pointee.isStopping {
            guard state.pointee.isOpen, state.pointee.jobNumber != lastJob else {
                // The next job mostly follows at once: the next layer of a network.
                let atomics = state.pointee.atomics
                let signal = atomics.pointee.signal
                pthread_mutex_unlock(&state.pointee.mutex)
                let hasChanged = spin(while: signal, &atomics.pointee.signal)
                pthread_mutex_lock(&state.pointee.mutex)
                if !hasChanged && signal == atomics.pointee.signal {
                    state.pointee.sleepingCount += 1
                    pthread_cond_wait(&state.pointee.work, &state.pointee.mutex)
                    state.pointee.sleepingCount -= 1
                }
                continue
            }
            lastJob = state.pointee.jobNumber
            let job = state.pointee.job
            state.pointee.joinedCount += 1
            pthread_mutex_unlock(&state.pointee.mutex)
            work(state, job, worker: worker)
            pthread_mutex_lock(&state.pointee.mutex)
            state.pointee.joinedCount -= 1
            if state.pointee.joinedCount == 0, !state.pointee.isOpen {
                shims_atomic_store(&state.pointee.atomics.pointee.isLeaving, 0)
                pthread_cond_signal(&state.pointee.done)
            }
        }
        pthread_mutex_unlock(&state.pointee.mutex)
    }

    static func stop(_ state: UnsafeMutablePointer<ThreadPoolState>) {
        pthread_mutex_lock(&state.pointee.mutex)
        state.pointee.isStopping = true
        let atomics = state.pointee.atomics
        shims_atomic_store(&atomics.pointee.signal, atomics.pointee.signal &+ 1)
        pthread_cond_broadcast(&state.pointee.work)
        pthread_mutex_unlock(&state.pointee.mutex)
        for index in 0..<state.pointee.startedCount {
            pthread_join(state.pointee.workers[index].thread, nil)
        }
        pthread_cond_destroy(&state.pointee.work)
        pthread_cond_destroy(&state.pointee.done)
        pthread_mutex_destroy(&state.pointee.mutex)
    }

    /// Resets the state. Threads of a parent process are forgotten; its mutex and conditions are not destroyed, since
    /// that would wait for them.
    private static func reset(_ state: UnsafeMutablePointer<ThreadPoolState>) {
        state.pointee.isBusy = false
        state.pointee.isOpen = false
        state.pointee.joinedCount = 0
        state.pointee.sleepingCount = 0
        state.pointee.startedCount = 0
        state.pointee.jobsUntilStart = 0
        state.pointee.jobsAfterRefusal = firstJobsAfterRefusal
        pthread_mutex_init(&state.pointee.mutex, nil)
        pthread_cond_init(&state.pointee.work, nil)
        pthread_cond_init(&state.pointee.done, nil)
    }
}

private func threadPoolMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let worker = argument?.assumingMemoryBound(to: ThreadPoolWorker.self) else { return nil }
    // A thread inherits its creator's environment, which may be any at that time.
    _ = shims_float_environment_enter()
    ThreadPoolState.serve(worker.pointee.state, worker: worker.pointee.index)
    return nil
}
