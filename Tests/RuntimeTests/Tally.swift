// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

@testable import Runtime

/// How often each index of a job was computed, and by whom. Every index has its own place, so the threads do not race
/// unless the pool gives one index to two of them.
final class Tally {
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
