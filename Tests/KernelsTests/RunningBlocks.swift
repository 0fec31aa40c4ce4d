// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

@testable import Kernels
@testable import Runtime

/// The ways to get through the blocks of a task, whose results must be the same bits.
enum BlockOrder: Equatable {
    case forward
    case backward
    case threads(Int)

    static let all: [BlockOrder] = [.forward, .backward, .threads(2), .threads(3), .threads(4)]

    /// The orders worth the time for the reference kernels, which nothing but tests runs.
    static func all(for name: StaticString) -> [BlockOrder] {
        "\(name)".hasSuffix("reference") ? [.forward, .threads(2)] : all
    }
}

extension ConvolutionKernel {
    /// This kernel as one of the common shape.
    var asBlockKernel: BlockKernel<ConvolutionTask> {
        let (blockCount, scratchCount, run) = (blockCount, scratchCount, run)
        return BlockKernel(
            name: name, blockCount: { blockCount($0.shape) }, scratchCount: { scratchCount($0.shape) }, run: run)
    }
}

/// Computes all blocks, with scratch memory full of canaries and with canaries behind it that must survive.
func compute<Task>(
    _ kernel: BlockKernel<Task>, _ task: Task, order: BlockOrder = .forward,
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let count = kernel.blockCount(task)
    let scratchCount = kernel.scratchCount(task)
    #expect(count >= 1, sourceLocation: sourceLocation)
    let threads = if case .threads(let threads) = order { threads } else { 1 }
    let scratch = try (0..<threads).map { _ in
        let memory = try Heap.allocate(Float.self, count: scratchCount + 64)
        memory.initialize(repeating: canary, count: scratchCount + 64)
        return memory
    }
    defer { scratch.forEach(Heap.deallocate) }

    switch order {
    case .forward: for block in 0..<count { kernel.run(task, block, scratch[0]) }
    case .backward: for block in (0..<count).reversed() { kernel.run(task, block, scratch[0]) }
    case .threads:
        let job = Job { block, worker in kernel.run(task, block, scratch[worker]) }
        let pool = try ThreadPool(threads: threads)
        withExtendedLifetime(job) {
            pool.run(count: count, context: Unmanaged.passUnretained(job).toOpaque()) { context, block, worker in
                Unmanaged<Job>.fromOpaque(context).takeUnretainedValue().body(block, worker)
            }
        }
    }

    for memory in scratch {
        let end = UnsafeBufferPointer(start: memory + scratchCount, count: 64)
        #expect(end.allSatisfy(isCanary), "wrote beyond its scratch memory", sourceLocation: sourceLocation)
    }
}

private final class Job {
    let body: (Int, Int) -> Void

    init(_ body: @escaping (Int, Int) -> Void) { self.body = body }
}
