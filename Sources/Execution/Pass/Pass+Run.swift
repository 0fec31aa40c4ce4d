// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

extension Pass {
    /// Computes the batch, in memory that the engine keeps for the next passes.
    ///
    /// - Throws: `outOfMemory` and `cancelled`, with undefined outputs; running statistics are then unchanged.
    mutating func run(on engine: UnsafeMutablePointer<Engine>) throws(BackboneError) {
        let size = try measuredSize(on: engine)
        guard let byteCount = size.byteCount else { throw tooLarge }
        let memory = try Self.takeMemory(byteCount, of: engine)
        if engine.pointee.kernels.usesBLAS {
            do throws(BackboneError) { try BLASThreading.enter(threads: engine.pointee.threadCount) } catch {
                Self.giveBack(memory, to: engine)
                throw error
            }
        }
        let isCancelled = compute(on: engine, in: Workspace(block: memory.start, size: size))
        Self.giveBack(memory, to: engine)
        if isCancelled { try cancellation.check() }
    }

    /// Computes the batch in memory of `measuredSize`.
    ///
    /// - Throws: As above.
    mutating func run(on engine: UnsafeMutablePointer<Engine>, in memory: Workspace) throws(BackboneError) {
        if engine.pointee.kernels.usesBLAS { try BLASThreading.enter(threads: engine.pointee.threadCount) }
        if compute(on: engine, in: memory) { try cancellation.check() }
    }

    /// Returns whether it was cancelled. Checked once: the error and the kept state must agree. The caller has entered
    /// `BLASThreading`; this function leaves it.
    private mutating func compute(on engine: UnsafeMutablePointer<Engine>, in memory: Workspace) -> Bool {
        run(in: memory)
        if engine.pointee.kernels.usesBLAS { BLASThreading.leave(threads: engine.pointee.threadCount) }
        let isCancelled = cancellation.isCancelled
        if !isCancelled { keepStatistics() }
        return isCancelled
    }

    /// The memory that the pass needs: measured once for each plan and number of images.
    mutating func measuredSize(on engine: UnsafeMutablePointer<Engine>) throws(BackboneError) -> WorkspaceSize {
        engine.pointee.cacheLock.lock()
        let known = engine.pointee.plans.size(of: plan, images: shareCount)
        engine.pointee.cacheLock.unlock()
        if let known { return known }
        let size = try measure()
        engine.pointee.cacheLock.lock()
        engine.pointee.plans.keep(size, of: plan, images: shareCount)
        engine.pointee.cacheLock.unlock()
        return size
    }

    private static func takeMemory(
        _ byteCount: Int, of engine: UnsafeMutablePointer<Engine>
    ) throws(BackboneError) -> Buffer<UInt8> {
        engine.pointee.cacheLock.lock()
        defer { engine.pointee.cacheLock.unlock() }
        return try engine.pointee.workspaces.take(byteCount: byteCount)
    }

    private static func giveBack(_ memory: consuming Buffer<UInt8>, to engine: UnsafeMutablePointer<Engine>) {
        engine.pointee.cacheLock.lock()
        engine.pointee.workspaces.giveBack(memory)
        engine.pointee.cacheLock.unlock()
    }
}
