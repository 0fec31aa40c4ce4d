// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

/// A network with the engine that runs it and the lock that keeps changes and forward passes apart: the target of a C
/// handle.
///
/// Long calls get a `Cancellation` from `enter`; once it is cancelled they throw and have changed nothing.
///
/// The value is a reference; `destroy` frees its target.
package struct Session {
    private struct State: ~Copyable {
        /// Shared for forward passes in evaluation mode and for reading, exclusive for changes.
        let lock: ReadWriteLock
        // Memory of their own: to take the address of a field is, to Swift, to change the state that others read.
        let network: UnsafeMutablePointer<Network>
        let engine: UnsafeMutablePointer<Engine>
        /// The number of cancels so far.
        let cancelCount: UnsafeMutablePointer<Int32>
        let warnings: WarningLog
        /// The time of its creation.
        let nanoseconds: Int

        deinit {
            Heap.destroy(network)
            Heap.destroy(engine)
            Heap.destroy(cancelCount)
        }
    }

    private let state: UnsafeMutablePointer<State>

    package init(_ network: consuming Network, _ engine: consuming Engine) throws(BackboneError) {
        let lock = try ReadWriteLock()
        let warnings = try WarningLog()
        let cancelCount = try Heap.make(0 as Int32)
        let networkMemory: UnsafeMutablePointer<Network>
        let engineMemory: UnsafeMutablePointer<Engine>
        do {
            networkMemory = try Heap.make(network)
        } catch {
            Heap.destroy(cancelCount)
            throw error
        }
        do {
            engineMemory = try Heap.make(engine)
        } catch {
            Heap.destroy(cancelCount)
            Heap.destroy(networkMemory)
            throw error
        }
        // If the state cannot be allocated, the lock ends, and with it all three.
        state = try Heap.make(
            State(
                lock: lock, network: networkMemory, engine: engineMemory, cancelCount: cancelCount,
                warnings: warnings, nanoseconds: shims_nanoseconds()))
    }

    /// The session of a handle that `handle` returned.
    package init(handle: OpaquePointer) { state = UnsafeMutablePointer(handle) }

    package var handle: OpaquePointer { OpaquePointer(state) }

    package func destroy() { Heap.destroy(state) }

    /// Valid until `destroy`, and to be used only under the lock.
    var network: UnsafeMutablePointer<Network> { state.pointee.network }
    private var engine: UnsafeMutablePointer<Engine> { state.pointee.engine }

    /// Runs `body` with the parts that have a lock of their own or never change.
    func observing(_ body: (borrowing WarningLog, borrowing InputNormalization) -> Void) {
        body(state.pointee.warnings, engine.pointee.normalization)
    }

    func logging<Result>(_ body: (borrowing WarningLog) -> Result) -> Result { body(state.pointee.warnings) }

    package var identity: SessionIdentity {
        SessionIdentity(address: Int(bitPattern: state), nanoseconds: state.pointee.nanoseconds)
    }

    func withEngine(
        _ body: (UnsafeMutablePointer<Engine>) throws(BackboneError) -> Void
    ) throws(BackboneError) { try body(engine) }

    func lockShared(_ cancellation: Cancellation) throws(BackboneError) {
        try state.pointee.lock.lockShared(cancellation)
    }

    func lockExclusive(_ cancellation: Cancellation) throws(BackboneError) {
        try state.pointee.lock.lockExclusive(cancellation)
    }

    func downgrade() { state.pointee.lock.downgrade() }

    func unlock() { state.pointee.lock.unlock() }

    /// The parts that never change and need no lock.
    package var threadCount: Int { engine.pointee.threadCount }
    package var configuration: Configuration { network.pointee.configuration }
    /// The channels of its blocks, if they do not follow the rules; valid until `destroy`.
    package var blockWidths: UnsafeBufferPointer<Int32> { network.pointee.widths.values.elements }
    package var kernels: KernelTable { engine.pointee.kernels }
    package var means: UnsafePointer<Float> { engine.pointee.normalization.means }
    package var standardDeviations: UnsafePointer<Float> { engine.pointee.normalization.standardDeviations }
    /// The value that was last set.
    package var frozenStages: Int {
        state.pointee.lock.lockShared()
        defer { state.pointee.lock.unlock() }
        return network.pointee.frozenStages
    }
    package var isDirect: Bool { engine.pointee.isDirect }
    package var reversesChannels: Bool { engine.pointee.normalization.reversesChannels }
    package var normalizesFloats: Bool { engine.pointee.normalization.includesFloats }

    /// Runs `body`, which needs no lock, with the threads of the forward passes.
    package func sharing(
        _ body: (borrowing ThreadPool) throws(BackboneError) -> Void
    ) throws(BackboneError) { try body(engine.pointee.pool) }

    // MARK: - Cancelling

    /// Begins a call that `cancel` can end.
    package func enter() -> Cancellation { Cancellation(entering: state.pointee.cancelCount) }

    /// Ends the calls in progress. For any thread and for signal handlers: it only counts.
    package func cancel() { shims_atomic_increment(state.pointee.cancelCount) }

    // MARK: - Access to the network

    /// Runs `body` with the graph, which never changes: it needs no lock.
    package func withGraph<Result: ~Copyable>(
        _ body: (borrowing Graph) throws(BackboneError) -> Result
    ) throws(BackboneError) -> Result { try body(network.pointee.graph) }

    /// Runs `body` while no call changes the network.
    package func reading<Result: ~Copyable>(
        _ body: (borrowing Network) throws(BackboneError) -> Result
    ) throws(BackboneError) -> Result {
        state.pointee.lock.lockShared()
        defer { state.pointee.lock.unlock() }
        return try body(network.pointee)
    }

    /// Runs `body` while no other call uses the network.
    package func changing<Result>(
        _ body: (inout Network) throws(BackboneError) -> Result
    ) throws(BackboneError) -> Result {
        state.pointee.lock.lockExclusive()
        defer { state.pointee.lock.unlock() }
        return try body(&network.pointee)
    }

    /// Runs `body` while no call changes the network, after making sure that its values exist.
    package func readingValues<Result>(
        _ body: (borrowing Network) throws(BackboneError) -> Result
    ) throws(BackboneError) -> Result {
        state.pointee.lock.lockShared()
        if !network.pointee.hasValues {
            state.pointee.lock.unlock()
            try changing { network throws(BackboneError) in try network.requireValues(.none) }
            state.pointee.lock.lockShared()
        }
        // Values stay from then on.
        defer { state.pointee.lock.unlock() }
        return try body(network.pointee)
    }

    /// Replaces the network's values by separately filled ones, and keeps those of entries that were not loaded.
    ///
    /// - Parameters:
    ///   - check: throws if the network has changed so that this is no longer allowed.
    ///   - commit: changes other state together with the network; it cannot fail.
    package func adopt(
        _ values: consuming NetworkValues, isLoaded: borrowing UniqueArray<Bool>, _ cancellation: Cancellation,
        after check: (borrowing Network) throws(BackboneError) -> Void = { _ in }, commit: () -> Void = {}
    ) throws(BackboneError) {
        try state.pointee.lock.lockExclusive(cancellation)
        defer { state.pointee.lock.unlock() }
        try check(network.pointee)
        try network.pointee.adopt(values, isLoaded: isLoaded, cancellation)
        commit()
    }

    /// Sets all values to those of a seed.
    package func initializeWeights(seed: UInt64, _ cancellation: Cancellation) throws(BackboneError) {
        try state.pointee.lock.lockExclusive(cancellation)
        defer { state.pointee.lock.unlock() }
        try network.pointee.initializeWeights(seed: seed, cancellation)
    }

    // MARK: - Forward

    /// Computes the features of a batch.
    ///
    /// - Throws: `invalidArgument` before anything has changed; `outOfMemory` and `cancelled`, with undefined outputs.
    package func forward(_ arguments: ForwardArguments, _ cancellation: Cancellation = .none) throws(BackboneError) {
        try check(arguments)
        guard arguments.input.shape.n > 0 else { return }
        try compute(arguments, cancellation)
        observe(arguments)
    }

    private func compute(_ arguments: ForwardArguments, _ cancellation: Cancellation) throws(BackboneError) {
        let plan = try lockForForward(of: arguments.input.shape, cancellation)
        defer { unlock(plan) }
        try run(plan, on: arguments, times: nil, cancellation)
    }

    /// Layers never change, so this needs no lock.
    func check(_ arguments: ForwardArguments) throws(BackboneError) { try network.pointee.check(arguments) }

    /// Runs a plan on checked arguments, under the lock of `lockForForward`.
    ///
    /// - Parameter times: Receives the nanoseconds of each step; nil if not measured.
    func run(
        _ plan: UnsafePointer<Plan>, on arguments: ForwardArguments, times: UnsafeMutablePointer<Int>?,
        _ cancellation: Cancellation
    ) throws(BackboneError) {
        if network.pointee.usesBatchStatistics {
            try network.pointee.checkBatchStatistics(plan.pointee, imageCount: arguments.input.shape.n)
        }
        var pass = Pass(
            network: network, engine: engine, plan: plan, arguments: arguments,
            usesBatchStatistics: network.pointee.usesBatchStatistics, cancellation: cancellation)
        pass.times = times
        try pass.run(on: engine)
    }

    /// Takes the lock and a plan whose weights are packed: the lock is shared, or exclusive if the forward pass will
    /// change running statistics.
    func lockForForward(
        of shape: Dimensions, _ cancellation: Cancellation
    ) throws(BackboneError) -> UnsafePointer<Plan> {
        try state.pointee.lock.lockShared(cancellation)
        if !network.pointee.usesBatchStatistics {
            if let plan = try readyPlan(for: shape) { return plan }
        }
        state.pointee.lock.unlock()

        try state.pointee.lock.lockExclusive(cancellation)
        let plan = try preparedPlan(for: shape, cancellation)
        // So no forward pass of another thread can reuse the memory of these weights in between.
        if !network.pointee.usesBatchStatistics { state.pointee.lock.downgrade() }
        return plan
    }

    /// Takes the shared lock and a plan to inspect: its weights need not be packed.
    func lockForReading(of shape: Dimensions) throws(BackboneError) -> UnsafePointer<Plan> {
        state.pointee.lock.lockShared()
        do throws(BackboneError) {
            return try takePlan(for: shape)
        } catch {
            state.pointee.lock.unlock()
            throw error
        }
    }

    /// Undoes `lockForForward` and `lockForReading`.
    func unlock(_ plan: UnsafePointer<Plan>) {
        giveBack(plan)
        state.pointee.lock.unlock()
    }

    /// The plan for a shape if its weights are packed. Unlocks if it throws.
    private func readyPlan(for shape: Dimensions) throws(BackboneError) -> UnsafePointer<Plan>? {
        do throws(BackboneError) {
            let plan = try takePlan(for: shape)
            if engine.pointee.isReady(plan.pointee, for: network.pointee) { return plan }
            giveBack(plan)
            return nil
        } catch {
            state.pointee.lock.unlock()
            throw error
        }
    }

    /// The plan for a shape after packing its weights; the caller holds the exclusive lock. Unlocks if it throws.
    private func preparedPlan(
        for shape: Dimensions, _ cancellation: Cancellation
    ) throws(BackboneError) -> UnsafePointer<Plan> {
        do throws(BackboneError) {
            try network.pointee.requireValues(cancellation)
            let plan = try takePlan(for: shape)
            do throws(BackboneError) {
                try engine.pointee.prepare(plan, for: network, cancellation)
            } catch {
                giveBack(plan)
                throw error
            }
            return plan
        } catch {
            state.pointee.lock.unlock()
            throw error
        }
    }

    /// Bytes of the packed weights that are kept.
    var packedByteCount: Int {
        state.pointee.lock.lockShared()
        defer { state.pointee.lock.unlock() }
        return engine.pointee.packedByteCount
    }

    /// Frees the memory of earlier passes.
    func releaseWorkspaces() {
        engine.pointee.cacheLock.lock()
        defer { engine.pointee.cacheLock.unlock() }
        engine.pointee.workspaces.removeAll()
    }

    /// Whether packed weights are of values that have changed since or, in training mode, are about to; under the lock.
    var hasUnneededWeights: Bool { engine.pointee.hasUnneededWeights(of: network.pointee) }

    /// Frees the memory of those; the caller holds the exclusive lock.
    func releaseUnneededWeights() { engine.pointee.releaseUnneededWeights(of: network.pointee) }

    func takePlan(for shape: Dimensions) throws(BackboneError) -> UnsafePointer<Plan> {
        engine.pointee.cacheLock.lock()
        defer { engine.pointee.cacheLock.unlock() }
        return try engine.pointee.plans.take(
            engine.pointee.program, engine.pointee.planner, height: shape.h, width: shape.w,
            addsInPlace: !network.pointee.usesBatchStatistics)
    }

    func giveBack(_ plan: UnsafePointer<Plan>) {
        engine.pointee.cacheLock.lock()
        defer { engine.pointee.cacheLock.unlock() }
        engine.pointee.plans.giveBack(plan)
    }
}
