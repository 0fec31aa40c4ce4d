// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Runtime

/// Prints what one thread and all threads together reach: multiplications in registers, and reading memory.
func measurePeak(_ options: Options) throws {
    for count in Set([1, options.threadCount]).sorted() {
        let products = try multiplicationPeak(threads: count)
        let bytes = PeakJob.floatCount * count * MemoryLayout<Float>.stride
        let reading = try fastest(PeakJob(threads: count), threads: count) { job, index in job.read(index) }
        print(
            "\(count) thread\(count == 1 ? "" : "s"): \(tenths(products)) GFLOP/s, "
                + "\(tenths(Double(bytes) / Double(reading))) GB/s read from memory")
    }
}

/// GFLOP/s of some threads together that multiply in registers.
func multiplicationPeak(threads: Int) throws -> Double {
    guard let instructions = try Ladder.best() else {
        throw BenchError(message: "the limit is measured with vectors, for which this CPU lacks instructions")
    }
    // Twelve vectors a step.
    let operations = 2 * 12 * instructions.lanes * PeakJob.steps * threads
    let time = try fastest(PeakJob(threads: threads), threads: threads) { job, index in
        job.multiply(index, instructions)
    }
    return Double(operations) / Double(time)
}

/// The work of the threads, each with memory of its own.
private final class PeakJob {
    static let steps = 20_000_000
    /// More than fits into any cache.
    static let floatCount = 32 << 20

    /// The result of each thread, so that no computation can be left out.
    private let results: UnsafeMutablePointer<Float>
    private let floats: [UnsafeMutablePointer<Float>]
    var body: (PeakJob, Int) -> Void = { _, _ in }

    init(threads: Int) {
        results = .allocate(capacity: threads)
        floats = (0..<threads).map { _ in
            let memory = UnsafeMutablePointer<Float>.allocate(capacity: Self.floatCount)
            memory.initialize(repeating: 1e-3, count: Self.floatCount)
            return memory
        }
    }

    deinit {
        results.deallocate()
        floats.forEach { $0.deallocate() }
    }

    func multiply(_ index: Int, _ instructions: Rung) {
        keep(instructions.multiplicationPeak(Self.steps, floats[index]), index)
    }

    func read(_ index: Int) {
        var sums = (SIMD16<Float>.zero, SIMD16<Float>.zero)
        let memory = UnsafeRawPointer(floats[index])
        for offset in stride(from: 0, to: Self.floatCount * MemoryLayout<Float>.stride, by: 128) {
            sums.0 += memory.load(fromByteOffset: offset, as: SIMD16<Float>.self)
            sums.1 += memory.load(fromByteOffset: offset + 64, as: SIMD16<Float>.self)
        }
        keep((sums.0 + sums.1).sum(), index)
    }

    private func keep(_ value: Float, _ index: Int) { results[index] = value }
}

/// The shortest of some times that the threads of a pool need together, in nanoseconds.
private func fastest(_ job: PeakJob, threads: Int, _ body: @escaping (PeakJob, Int) -> Void) throws -> Int {
    job.body = body
    let pool = try ThreadPool(threads: threads)
    let context = Unmanaged.passUnretained(job).toOpaque()
    var shortest = Int.max
    for _ in 0..<5 {
        let start = shims_nanoseconds()
        pool.run(count: threads, context: context) { context, index, _ in
            let job = Unmanaged<PeakJob>.fromOpaque(context).takeUnretainedValue()
            job.body(job, index)
        }
        shortest = min(shortest, shims_nanoseconds() - start)
    }
    return shortest
}
