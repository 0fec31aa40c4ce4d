// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The memory needs of one pass with a plan.
struct WorkspaceSize: BitwiseCopyable {
    /// Floats of the activations of all images of the pass.
    let activations: Int
    /// Floats that the phases of a convolution share.
    let shared: Int
    /// Floats of scratch memory for each worker.
    let scratch: Int
    let workers: Int
    /// Doubles for the statistics of a batch: mean and variance of all BatchNorms.
    let statistics: Int

    /// Everything together in bytes, nil if it overflows Int.
    var byteCount: Int? {
        let floats = checkedSum(checkedSum(activations, shared), checkedProduct(scratch, workers))
        return checkedSum(
            checkedProduct(floats, MemoryLayout<Float>.stride), checkedProduct(statistics, MemoryLayout<Double>.stride))
    }
}

/// The memory of one pass with a plan.
struct Workspace: BitwiseCopyable {
    let block: UnsafeMutableRawPointer
    let size: WorkspaceSize

    /// Aligned to `Heap.alignment`, as is all other memory.
    var activations: UnsafeMutablePointer<Float> { block.assumingMemoryBound(to: Float.self) }

    var shared: UnsafeMutablePointer<Float> { activations + size.activations }

    func scratch(worker: Int) -> UnsafeMutablePointer<Float> { shared + (size.shared + worker * size.scratch) }

    var statistics: UnsafeMutablePointer<Double> {
        UnsafeMutableRawPointer(scratch(worker: size.workers)).assumingMemoryBound(to: Double.self)
    }
}

/// Blocks of memory returned by passes, kept for the next ones. Not thread-safe.
struct WorkspaceStore: ~Copyable {
    /// More than that many are not kept: as many as forward passes are likely to run on one handle at once.
    static var maximumIdle: Int { 4 }

    private var idle = UniqueArray<Buffer<UInt8>>()

    /// A block of at least `byteCount` bytes: the smallest that fits, else a new one that replaces one that is too
    /// small.
    mutating func take(byteCount: Int) throws(BackboneError) -> Buffer<UInt8> {
        try idle.reserve(Self.maximumIdle)
        var best = -1
        for index in 0..<idle.count where idle[index].count >= byteCount {
            if best < 0 || idle[index].count < idle[best].count { best = index }
        }
        if best >= 0 { return idle.swapRemove(at: best) }
        // None fits. Freed before the new one is allocated, to keep the peak low.
        if !idle.isEmpty { _ = idle.removeLast() }
        return try Buffer(count: byteCount)
    }

    mutating func removeAll() { idle = UniqueArray() }

    /// Takes a block back. `take` has made room for it, so this cannot fail.
    mutating func giveBack(_ block: consuming Buffer<UInt8>) {
        guard idle.count < Self.maximumIdle else { return }
        idle.appendReserved(block)
    }
}
