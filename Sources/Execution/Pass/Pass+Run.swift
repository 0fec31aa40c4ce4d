// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

extension Pass {
    /// Computes the batch, in memory that the engine keeps for the next passes.
    ///
    /// - Throws: `outOfMemory` and `cancelled`, with anything in the outputs; running statistics are then as before.
    mutating func run(on engine: UnsafeMutablePointer<Engine>) throws(BackboneError) {
        let size = try measuredSize(on: engine)
        guard let byteCount = size.byteCount else { throw tooLarge }
        let memory = try Self.takeMemory(byteCount, of: engine)
        if engine.pointee.kernels.usesBLAS { BLASThreading.enter() }
        run(in: Workspace(block: memory.start, size: size))
        if engine.pointee.kernels.usesBLAS { BLASThreading.leave() }
        // Asked once: what is thrown and what is kept must agree.
        let isCancelled = cancellation.isCancelled
        if !isCancelled { keepStatistics() }
        engine.pointee.cacheLock.lock()
        engine.pointee.workspaces.giveBack(memory)
        engine.pointee.cacheLock.unlock()
        if isCancelled { try cancellation.check() }
    }

    /// The memory that the pass needs: found out once for each plan and number of images.
    private mutating func measuredSize(on engine: UnsafeMutablePointer<Engine>) throws(BackboneError) -> WorkspaceSize {
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
}
