// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Testing

@testable import Runtime

/// A counter of cancels, and what is cancelled by it.
private final class Cancelled: @unchecked Sendable {
    let count = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    let lock: ReadWriteLock
    /// In the order in which threads got the lock.
    var order: [String] = []

    init() throws {
        count.initialize(to: 0)
        lock = try ReadWriteLock()
    }

    deinit { count.deallocate() }

    func cancel() { shims_atomic_increment(count) }
    var token: Cancellation { Cancellation(entering: count) }
}

@Suite struct CancellationTests {
    @Test func endsWhatWasEnteredBeforeAndNothingElse() throws {
        let cancelled = try Cancelled()
        cancelled.cancel()
        let earlier = cancelled.token
        #expect(!earlier.isCancelled)
        try earlier.check()
        cancelled.cancel()
        let later = cancelled.token
        #expect(earlier.isCancelled && !later.isCancelled && !Cancellation.none.isCancelled)
        #expect(throws: BackboneError.self) { try earlier.check() }
        // The counter may wrap around.
        cancelled.count.pointee = .max
        let last = cancelled.token
        cancelled.cancel()
        #expect(cancelled.count.pointee == .min && last.isCancelled)
    }

    @Test(arguments: [1, 3]) func endsAJob(threads: Int) throws {
        let pool = try ThreadPool(threads: threads)
        final class Job {
            let cancelled: Cancelled
            let indices = UnsafeMutablePointer<Int>.allocate(capacity: 1)
            init(_ cancelled: Cancelled) { self.cancelled = cancelled }
        }
        let job = Job(try Cancelled())
        defer { job.indices.deallocate() }
        for _ in 0..<50 {
            job.indices.initialize(to: 0)
            let token = job.cancelled.token
            pool.run(count: 100_000, cancellation: token, context: Unmanaged.passUnretained(job).toOpaque()) {
                context, _, _ in
                let job = Unmanaged<Job>.fromOpaque(context).takeUnretainedValue()
                if shims_atomic_next(job.indices) == 10 { job.cancelled.cancel() }
            }
            #expect(token.isCancelled && job.indices.pointee >= 11)
            if threads == 1 { #expect(job.indices.pointee == 11) }
            #expect(job.indices.pointee < 100_000)
        }
        // The pool goes on.
        let tally = Tally(count: 64)
        tally.run(on: pool)
        #expect(tally.allCounts.allSatisfy { $0 == 1 })
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true]) func endsAWaitForALock(isExclusive: Bool) throws {
        let cancelled = try Cancelled()
        cancelled.lock.lockExclusive()
        let token = cancelled.token
        let waiting = try TestThread {
            do throws(BackboneError) {
                if isExclusive { try cancelled.lock.lockExclusive(token) } else { try cancelled.lock.lockShared(token) }
                return 0
            } catch {
                return Int(error.kind.rawValue)
            }
        }
        usleep(20_000)
        cancelled.cancel()
        #expect(waiting.join() == 8)
        // Nobody waits any more, whose turn it could be.
        cancelled.lock.unlock()
        let after = cancelled.token
        try cancelled.lock.lockShared(after)
        try cancelled.lock.lockShared(after)
        cancelled.lock.unlock()
        cancelled.lock.unlock()
        try cancelled.lock.lockExclusive(after)
        cancelled.lock.unlock()
    }

    /// A reader that waits for a waiting writer gets its turn when the writer's wait is cancelled.
    @Test(.timeLimit(.minutes(1))) func aCancelledWriterLetsReadersPass() throws {
        let cancelled = try Cancelled()
        cancelled.lock.lockShared()
        let token = cancelled.token
        let writer = try TestThread {
            do throws(BackboneError) { try cancelled.lock.lockExclusive(token) } catch { return 1 }
            return 0
        }
        usleep(20_000)
        let reader = try TestThread {
            cancelled.lock.lockShared()
            cancelled.lock.unlock()
            return 0
        }
        usleep(20_000)
        cancelled.cancel()
        #expect(writer.join() == 1)
        #expect(reader.join() == 0)
        cancelled.lock.unlock()
    }

    /// Other writers come after the one that has become a reader, other readers beside it where no writer waits.
    @Test(.timeLimit(.minutes(1))) func aWriterBecomesAReader() throws {
        let cancelled = try Cancelled()
        cancelled.lock.lockExclusive()
        let other = try TestThread {
            cancelled.lock.lockExclusive()
            cancelled.order.append("other")
            cancelled.lock.unlock()
            return 0
        }
        usleep(20_000)
        cancelled.lock.downgrade()
        usleep(20_000)
        cancelled.order.append("first")
        cancelled.lock.unlock()
        #expect(other.join() == 0)
        #expect(cancelled.order == ["first", "other"])
        cancelled.lock.lockExclusive()
        cancelled.lock.downgrade()
        cancelled.lock.lockShared()
        cancelled.lock.unlock()
        cancelled.lock.unlock()
        cancelled.lock.lockExclusive()
        cancelled.lock.unlock()
    }
}

@Suite struct ThreadLimitTests {
    @Test(
        arguments: [
            ("1", 1), ("4", 4), (" 12\t", 12), ("2,4,8", 2), ("3 ,x", 3), ("007", 7),
            ("99999999999999999999999", Int.max), ("", nil), (" ", nil), ("0", nil), ("-1", nil), ("+1", nil),
            ("1.5", nil), ("1x", nil), ("1 2", nil), (",2", nil), ("auto", nil), ("٣", nil),
        ] as [(String, Int?)])
    func firstNumberOfAList(text: String, expected: Int?) {
        #expect(ThreadLimit.number(in: text) == expected)
    }
}
