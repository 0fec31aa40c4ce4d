// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CTestSupport
import Testing

@testable import Kernels
@testable import Runtime

/// The ways to get through the blocks of a task, whose results must be the same bits.
enum BlockOrder: Equatable {
    case forward
    case backward
    case threads(Int)

    var threadCount: Int {
        if case .threads(let count) = self { count } else { 1 }
    }

    static let all: [BlockOrder] = [.forward, .backward, .threads(2), .threads(3), .threads(4)]

    /// The orders worth the time for the reference kernels, which nothing but tests runs.
    static func all(for name: StaticString) -> [BlockOrder] {
        "\(name)".hasSuffix("reference") ? [.forward, .threads(2)] : all
    }
}

/// Computes all blocks, phase by phase, with scratch memory full of canaries and with canaries after it that must
/// survive.
func compute<Task>(
    _ kernel: Kernel<Task>, _ task: Task, order: BlockOrder = .forward,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    task.assertContract()
    let needs = kernel.needs(task)
    let scratch = try GuardedScratch(needs.scratchCount, count: order.threadCount)
    let shared = try GuardedScratch(needs.sharedCount, count: 1)
    #expect(needs.phaseCount >= 1, sourceLocation: sourceLocation)
    // What the kernel asks of its caller, and what other tests that fork ask of this one.
    let usesOpenBLAS = "\(kernel.name)".hasSuffix("openblas")
    if usesOpenBLAS {
        test_lock_openblas()
        do throws(BackboneError) { try BLASThreading.enter(threads: order.threadCount) } catch {
            test_unlock_openblas()
            throw error
        }
    }
    defer {
        if usesOpenBLAS {
            BLASThreading.leave(threads: order.threadCount)
            test_unlock_openblas()
        }
    }
    for phase in 0..<needs.phaseCount {
        try run(kernel.blockCount(task, phase), order, sourceLocation) { block, worker in
            let memory = KernelMemory(shared: shared.start(of: 0), own: scratch.start(of: worker))
            kernel.runBlock(task, phase, block, memory)
        }
    }
    scratch.check(sourceLocation)
    shared.check(sourceLocation)
}

/// Calls `body(block, worker)` for every block.
private func run(
    _ count: Int, _ order: BlockOrder, _ sourceLocation: SourceLocation, _ body: @escaping (Int, Int) -> Void
) throws {
    #expect(count >= 1, sourceLocation: sourceLocation)
    switch order {
    case .forward: for block in 0..<count { body(block, 0) }
    case .backward: for block in (0..<count).reversed() { body(block, 0) }
    case .threads(let threads):
        let job = Job(body)
        let pool = try ThreadPool(threads: threads)
        withExtendedLifetime(job) {
            pool.run(count: count, context: Unmanaged.passUnretained(job).toOpaque()) { context, block, worker in
                Unmanaged<Job>.fromOpaque(context).takeUnretainedValue().body(block, worker)
            }
        }
    }
}

/// Scratch memory for each of some threads, aligned as kernels expect it.
private final class GuardedScratch {
    private let count: Int
    private let memory: [UnsafeMutablePointer<Float>]

    init(_ count: Int, count threads: Int) throws {
        self.count = count
        memory = try (0..<threads).map { _ in
            let memory = try Heap.allocate(Float.self, count: count + 64)
            memory.initialize(repeating: canary, count: count + 64)
            return memory
        }
    }

    deinit { memory.forEach(Heap.deallocate) }

    func start(of worker: Int) -> UnsafeMutablePointer<Float> { memory[worker] }

    func check(_ sourceLocation: SourceLocation) {
        for start in memory {
            let end = UnsafeBufferPointer(start: start + count, count: 64)
            #expect(end.allSatisfy(isCanary), "wrote beyond its scratch memory", sourceLocation: sourceLocation)
        }
    }
}

private final class Job {
    let body: (Int, Int) -> Void

    init(_ body: @escaping (Int, Int) -> Void) { self.body = body }
}

extension KernelTable {
    /// Those that this CPU can run, all in vectors of one width.
    static var all: [KernelTable] { [.reference, .portable] + Ladder.present.map { $0.ownTable() } }
}

extension AlgorithmKernels {
    /// Those for the instruction sets that this CPU has.
    static var vector: [AlgorithmKernels] { Ladder.present.map { $0.ownTable().convolutions.kernels } }
}

extension Ladder {
    /// The instruction sets that this CPU has, best first.
    static var present: [Rung] { (detected..<count).map { Ladder[$0] } }
}
