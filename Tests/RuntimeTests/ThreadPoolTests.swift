// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Testing

@testable import Runtime

/// How often each index of a job was computed, and by whom. Every index has its own place, so the threads do not race
/// unless the pool gives one index to two of them.
private final class Tally {
    let counts: UnsafeMutablePointer<Int>
    let workers: UnsafeMutablePointer<Int>
    let count: Int

    init(count: Int) {
        self.count = count
        counts = .allocate(capacity: count)
        workers = .allocate(capacity: count)
        counts.initialize(repeating: 0, count: count)
        workers.initialize(repeating: -1, count: count)
    }

    deinit {
        counts.deallocate()
        workers.deallocate()
    }

    /// Computes the job once more. Each index takes `work` steps, so that several threads get some.
    func run(on pool: borrowing ThreadPool, work: Int = 200) {
        self.work = work
        pool.run(count: count, context: Unmanaged.passUnretained(self).toOpaque()) { context, index, worker in
            let tally = Unmanaged<Tally>.fromOpaque(context).takeUnretainedValue()
            var value = UInt64(index)
            for _ in 0..<tally.work { value = value &* 6_364_136_223_846_793_005 &+ 1 }
            tally.counts[index] += value == 0 ? 2 : 1
            tally.workers[index] = worker
        }
    }

    private var work = 0
    var allCounts: [Int] { Array(UnsafeBufferPointer(start: counts, count: count)) }
    var allWorkers: Set<Int> { Set(UnsafeBufferPointer(start: workers, count: count)) }
}

/// The threads of this process.
private var threadCount: Int {
    var count = 0
    guard let folder = opendir("/proc/self/task") else { return 0 }
    while readdir(folder) != nil { count += 1 }
    closedir(folder)
    return count - 2
}

@Suite(.serialized) struct ThreadPoolTests {
    @Test(arguments: [1, 2, 3, 4, 9], [0, 1, 2, 3, 7, 64, 1000])
    func computesEveryIndexOnce(threads: Int, count: Int) throws {
        let pool = try ThreadPool(threads: threads)
        let tally = Tally(count: count)
        for round in 1...20 {
            tally.run(on: pool)
            #expect(tally.allCounts.allSatisfy { $0 == round })
            #expect(tally.allWorkers.allSatisfy { (0..<threads).contains($0) })
        }
    }

    @Test func sharesTheWork() throws {
        let pool = try ThreadPool(threads: 3)
        let tally = Tally(count: 64)
        var seen: Set<Int> = []
        // Threads of a busy machine may sleep through a job, but not through many.
        for _ in 0..<1000 where seen.count < 3 {
            tally.run(on: pool, work: 20_000)
            seen.formUnion(tally.allWorkers)
        }
        #expect(seen == [0, 1, 2])
    }

    @Test func startsThreadsOnlyWhenThereIsUseForThemAndJoinsThem() throws {
        let before = threadCount
        do {
            let pool = try ThreadPool(threads: 4)
            #expect(threadCount == before)
            Tally(count: 1).run(on: pool)
            #expect(threadCount == before)
            Tally(count: 2).run(on: pool)
            #expect(threadCount == before + 3)
        }
        #expect(threadCount == before)
    }

    @Test func hasAtLeastOneThread() throws {
        let pool = try ThreadPool(threads: -3)
        #expect(pool.threadCount == 1)
        let tally = Tally(count: 5)
        tally.run(on: pool)
        #expect(tally.allCounts == [1, 1, 1, 1, 1])
    }

    @Test func servesManyCallersAtOnce() throws {
        let shared = SharedPool(try ThreadPool(threads: 3))
        let callers = try (0..<4).map { _ in
            try TestThread {
                for round in 1...50 {
                    let tally = Tally(count: 40)
                    tally.run(on: shared.pool)
                    if !tally.allCounts.allSatisfy({ $0 == 1 }) { return round }
                }
                return 0
            }
        }
        #expect(callers.map { $0.join() } == [0, 0, 0, 0])
    }

    @Test func blocksSignalsInItsThreads() throws {
        var before = sigset_t()
        pthread_sigmask(SIG_SETMASK, nil, &before)
        let pool = try ThreadPool(threads: 2)
        // Worker 1 looks at its own mask; it may take a while until it gets an index.
        final class Masks { var blocked: Int32 = -1 }
        let masks = Masks()
        for _ in 0..<1000 where masks.blocked < 0 {
            pool.run(count: 64, context: Unmanaged.passUnretained(masks).toOpaque()) { context, _, worker in
                guard worker == 1 else {
                    usleep(100)
                    return
                }
                var mask = sigset_t()
                pthread_sigmask(SIG_SETMASK, nil, &mask)
                Unmanaged<Masks>.fromOpaque(context).takeUnretainedValue().blocked = sigismember(&mask, SIGINT)
            }
        }
        #expect(masks.blocked == 1)
        var after = sigset_t()
        pthread_sigmask(SIG_SETMASK, nil, &after)
        for signal in 1...31 { #expect(sigismember(&after, Int32(signal)) == sigismember(&before, Int32(signal))) }
    }
}

private final class SharedPool: Sendable {
    let pool: ThreadPool

    init(_ pool: consuming ThreadPool) { self.pool = pool }
}
