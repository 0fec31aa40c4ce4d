// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import CTestSupport
import Testing

@testable import Runtime

/// What a forked child finds: a pool and locks that were in use in its parent.
private final class Inherited: @unchecked Sendable {
    let pool: ThreadPool
    let mutex: Mutex
    let lock: ReadWriteLock
    /// What the child tries.
    var body: (Inherited) -> Int32 = { _ in 0 }

    init(threads: Int) throws {
        pool = try ThreadPool(threads: threads)
        mutex = try Mutex()
        lock = try ReadWriteLock()
    }

    /// The exit status of a child that computes `body`.
    func inChild(_ body: @escaping (Inherited) -> Int32) -> Int32 {
        self.body = body
        return test_in_forked_child(
            { context in
                guard let context else { return 99 }
                let inherited = Unmanaged<Inherited>.fromOpaque(context).takeUnretainedValue()
                return inherited.body(inherited)
            }, Unmanaged.passUnretained(self).toOpaque(), 20)
    }

    /// 0 if the pool computes jobs with threads of its own, else the number of the check that failed.
    func checkPool() -> Int32 {
        guard threadsOfThisProcess() == 1 else { return 1 }
        let tally = Tally(count: 64)
        for round in 1...10 {
            tally.run(on: pool)
            guard tally.allCounts.allSatisfy({ $0 == round }) else { return 2 }
        }
        return threadsOfThisProcess() == pool.threadCount ? 0 : 3
    }
}

/// The threads of this process.
private func threadsOfThisProcess() -> Int {
    var count = 0
    guard let folder = opendir("/proc/self/task") else { return 0 }
    while readdir(folder) != nil { count += 1 }
    closedir(folder)
    return count - 2
}

/// Whether all threads but one have ended: one that has been joined may be listed for a moment longer.
private func allThreadsHaveEnded() -> Bool {
    for _ in 0..<1000 {
        if threadsOfThisProcess() == 1 { return true }
        usleep(1000)
    }
    return false
}

@Suite(.serialized, .disabled(if: test_has_thread_sanitizer() != 0)) struct ForkTests {
    @Test func aChildStartsThreadsOfItsOwn() throws {
        let inherited = try Inherited(threads: 3)
        Tally(count: 8).run(on: inherited.pool)
        #expect(inherited.inChild { $0.checkPool() } == 0)
        // The parent's pool is as it was, and the next child's too.
        let tally = Tally(count: 8)
        tally.run(on: inherited.pool)
        #expect(tally.allCounts.allSatisfy { $0 == 1 })
        #expect(inherited.inChild { $0.checkPool() } == 0)
    }

    /// In a child, where no other thread comes and goes.
    @Test func threadsStartWhenThereIsUseForThemAndEndWithThePool() throws {
        let inherited = try Inherited(threads: 1)
        let status = inherited.inChild { _ in
            guard let pool = try? ThreadPool(threads: 4) else { return 1 }
            guard threadsOfThisProcess() == 1 else { return 2 }
            Tally(count: 1).run(on: pool)
            guard threadsOfThisProcess() == 1 else { return 3 }
            Tally(count: 2).run(on: pool)
            guard threadsOfThisProcess() == 4 else { return 4 }
            Tally(count: 9).run(on: pool)
            guard threadsOfThisProcess() == 4 else { return 5 }
            _ = consume pool
            return allThreadsHaveEnded() ? 0 : 6
        }
        #expect(status == 0)
    }

    @Test func aChildOfAChildToo() throws {
        let inherited = try Inherited(threads: 2)
        Tally(count: 8).run(on: inherited.pool)
        let status = inherited.inChild { inherited in
            guard inherited.checkPool() == 0 else { return 10 }
            return inherited.inChild { $0.checkPool() }
        }
        #expect(status == 0)
    }

    @Test func aChildMayComeWhileThePoolIsBusy() throws {
        let inherited = try Inherited(threads: 3)
        let stop = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        stop.initialize(to: 0)
        defer { stop.deallocate() }
        let flag = UInt(bitPattern: stop)
        let busy = try TestThread {
            var rounds = 0
            while shims_atomic_load(UnsafePointer(bitPattern: flag)) == 0 {
                Tally(count: 64).run(on: inherited.pool, work: 2000)
                rounds += 1
            }
            return rounds
        }
        var statuses: [Int32] = []
        for _ in 0..<20 { statuses.append(inherited.inChild { $0.checkPool() }) }
        shims_atomic_store(stop, 1)
        #expect(busy.join() > 0)
        #expect(statuses.allSatisfy { $0 == 0 }, "\(statuses)")
    }

    @Test func aChildMayFreeWhatItInherited() throws {
        // Used in the child or not: the parent's threads are not the child's to join.
        for isUsed in [false, true] {
            let inherited = try Inherited(threads: 1)
            let pool = Holder(try ThreadPool(threads: 3))
            pool.run()
            let status = inherited.inChild { _ in
                if isUsed { pool.run() }
                pool.free()
                return allThreadsHaveEnded() ? 0 : 1
            }
            #expect(status == 0, "isUsed: \(isUsed)")
        }
    }

    /// A pool that can be freed at will.
    private final class Holder {
        private var pool: ThreadPool?

        init(_ pool: consuming ThreadPool) { self.pool = consume pool }

        func run() {
            guard let held = pool.take() else { return }
            Tally(count: 8).run(on: held)
            pool = consume held
        }

        func free() { pool = nil }
    }

    /// Numbers of processes are used again, and are the same in different PID namespaces: what a child inherited is its
    /// parent's, whatever it says.
    @Test func processNumbersAreNotWhatTellsProcessesApart() throws {
        let inherited = try Inherited(threads: 1)
        let status = inherited.inChild { _ in
            var owner = getpid()
            guard shims_fork_begin(&owner) == 1 else { return 1 }
            shims_fork_end(&owner)
            guard shims_fork_begin(&owner) == 0 else { return 2 }
            return owner == shims_fork_generation() ? 0 : 3
        }
        #expect(status == 0)
    }

    @Test func everyForkCounts() throws {
        let inherited = try Inherited(threads: 1)
        let generation = shims_fork_generation()
        #expect(generation >= 1 && generation < 100_000)
        let status = inherited.inChild { inherited in
            guard shims_fork_generation() == generation + 1 else { return 1 }
            return inherited.inChild { _ in shims_fork_generation() == generation + 2 ? 0 : 2 }
        }
        #expect(status == 0)
        #expect(shims_fork_generation() == generation)
    }

    @Test func locksAreFreeInAChild() throws {
        let inherited = try Inherited(threads: 1)
        inherited.mutex.lock()
        inherited.lock.lockExclusive()
        let status = inherited.inChild { inherited in
            inherited.mutex.lock()
            inherited.lock.lockShared()
            inherited.lock.unlock()
            inherited.lock.lockExclusive()
            inherited.lock.unlock()
            inherited.mutex.unlock()
            return 0
        }
        inherited.lock.unlock()
        inherited.mutex.unlock()
        #expect(status == 0)
    }
}
