// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Testing

@testable import Runtime

/// Two numbers that are equal whenever nobody changes them.
private final class Guarded: @unchecked Sendable {
    let mutex: Mutex
    let lock: ReadWriteLock
    var first = 0
    var second = 0

    init() throws {
        mutex = try Mutex()
        lock = try ReadWriteLock()
    }

    func change() {
        first += 1
        second += 1
    }
}

@Suite struct LockTests {
    @Test func mutexLetsOneThreadInAtATime() throws {
        let guarded = try Guarded()
        let threads = try (0..<4).map { _ in
            try TestThread {
                for _ in 0..<5000 {
                    guarded.mutex.lock()
                    guarded.change()
                    guarded.mutex.unlock()
                }
                return 0
            }
        }
        for thread in threads { _ = thread.join() }
        #expect(guarded.first == 20000)
        #expect(guarded.second == 20000)
    }

    @Test func readersSeeNoHalfDoneChange() throws {
        let guarded = try Guarded()
        let writers = try (0..<2).map { _ in
            try TestThread {
                for _ in 0..<2000 {
                    guarded.lock.lockExclusive()
                    guarded.change()
                    guarded.lock.unlock()
                }
                return 0
            }
        }
        let readers = try (0..<3).map { _ in
            try TestThread {
                var differences = 0
                for _ in 0..<2000 {
                    guarded.lock.lockShared()
                    if guarded.first != guarded.second { differences += 1 }
                    guarded.lock.unlock()
                }
                return differences
            }
        }
        for writer in writers { _ = writer.join() }
        #expect(readers.map { $0.join() } == [0, 0, 0])
        #expect(guarded.first == 4000)
    }

    @Test(.timeLimit(.minutes(1))) func readersShareAndAWriterGetsItsTurn() throws {
        // Readers that overlap without a gap would keep out a writer that does not go first.
        let guarded = try Guarded()
        let isInside = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
        isInside.initialize(repeating: 0, count: 2)
        defer { isInside.deallocate() }
        let readers = try (0..<2).map { number in
            let flag = UInt(bitPattern: isInside + number)
            return try TestThread {
                while true {
                    guarded.lock.lockShared()
                    shims_atomic_store(UnsafeMutablePointer(bitPattern: flag), 1)
                    let isDone = guarded.first > 0
                    usleep(2000)
                    guarded.lock.unlock()
                    if isDone { return 0 }
                }
            }
        }
        while shims_atomic_load(isInside) == 0 || shims_atomic_load(isInside + 1) == 0 { usleep(100) }
        guarded.lock.lockExclusive()
        guarded.change()
        guarded.lock.unlock()
        #expect(readers.map { $0.join() } == [0, 0])
    }
}
