// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Testing

@testable import Runtime

@Suite struct ThreadPoolTests {
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

    /// A thread begins with its own part of the indices, the same in every job.
    @Test func givesEachThreadItsShare() throws {
        let pool = try ThreadPool(threads: 3)
        final class Firsts { let indices = UnsafeMutablePointer<Int32>.allocate(capacity: 3) }
        let firsts = Firsts()
        defer { firsts.indices.deallocate() }
        for _ in 0..<20 {
            firsts.indices.initialize(repeating: -1, count: 3)
            pool.run(count: 31, context: Unmanaged.passUnretained(firsts).toOpaque()) { context, index, worker in
                let indices = Unmanaged<Firsts>.fromOpaque(context).takeUnretainedValue().indices
                guard shims_atomic_load(indices + worker) < 0 else { return }
                shims_atomic_store(indices + worker, Int32(index))
                // Nobody takes another's before all have one of their own; a thread that is kept from starting shows below.
                for other in 0..<3 {
                    for _ in 0..<100_000 where shims_atomic_load(indices + other) < 0 { usleep(100) }
                }
            }
            #expect((0..<3).map { firsts.indices[$0] } == [0, 11, 21])
        }
    }

    @Test func takesIndicesInOrderIfAsked() throws {
        let pool = try ThreadPool(threads: 3)
        final class Begun { let counters = UnsafeMutablePointer<Int>.allocate(capacity: 2) }
        let begun = Begun()
        defer { begun.counters.deallocate() }
        begun.counters.initialize(repeating: 0, count: 2)
        for _ in 0..<200 {
            begun.counters[0] = 0
            pool.run(count: 100, inOrder: true, context: Unmanaged.passUnretained(begun).toOpaque()) {
                context, index, _ in
                let counters = Unmanaged<Begun>.fromOpaque(context).takeUnretainedValue().counters
                // As many as threads may be on their way from the pool to here.
                if index - shims_atomic_next(counters) > 2 { _ = shims_atomic_next(counters + 1) }
            }
        }
        #expect(begun.counters[1] == 0)
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
