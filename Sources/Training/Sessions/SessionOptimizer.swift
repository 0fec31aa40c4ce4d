// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Execution
import Kernels
import Networks
import Runtime

/// The optimiser of a session, with the lock that serialises its calls: the target of a C handle of an optimiser.
///
/// The value is a reference; `destroy` frees its target. Its lock is taken before the session's.
package struct SessionOptimizer {
    private struct State: ~Copyable {
        let lock: Mutex
        let session: SessionIdentity
        var optimizer: Optimizer
    }

    private let state: UnsafeMutablePointer<State>

    /// - Parameter options: gives the options.
    /// - Throws: what `options` throws; `invalidArgument` naming the option at fault, or where nothing is trainable;
    ///   `outOfMemory`.
    package init(
        _ session: Session, options: () throws(BackboneError) -> OptimizerOptions
    ) throws(BackboneError) {
        state = try session.reading { network throws(BackboneError) in
            let optimizer = try Optimizer(
                network, try options(), layoutID: network.layoutID, kernels: session.kernels.optimizers)
            return try Heap.make(State(lock: try Mutex(), session: session.identity, optimizer: optimizer))
        }
    }

    /// The optimiser of a handle that `handle` returned.
    package init(handle: OpaquePointer) { state = UnsafeMutablePointer(handle) }

    package var handle: OpaquePointer { OpaquePointer(state) }

    package func destroy() { Heap.destroy(state) }

    /// Runs `body` while no other call uses the optimiser.
    ///
    /// - Throws: `stale` if it is another session's; what `body` throws.
    private func using(
        _ session: Session, _ body: (inout Optimizer) throws(BackboneError) -> Void
    ) throws(BackboneError) {
        guard state.pointee.session == session.identity else {
            throw BackboneError(.stale, "the optimizer belongs to another network; create one for this network")
        }
        state.pointee.lock.lock()
        defer { state.pointee.lock.unlock() }
        try body(&state.pointee.optimizer)
    }

    /// See `Optimizer.step`.
    package func step(
        _ session: Session, gradients: UnsafePointer<Float>, count: Int, learningRate: Double, allowNotFinite: Bool
    ) throws(BackboneError) {
        try using(session) { optimizer throws(BackboneError) in
            try session.sharing { pool throws(BackboneError) in
                try session.changing { network throws(BackboneError) in
                    try optimizer.step(
                        &network, gradients: gradients, count: count, learningRate: learningRate,
                        allowNotFinite: allowNotFinite, layoutID: network.layoutID, pool: pool)
                }
            }
        }
    }

    /// See `Optimizer.follow`.
    package func follow(_ session: Session) throws(BackboneError) {
        try using(session) { optimizer throws(BackboneError) in
            try session.reading { network throws(BackboneError) in
                try optimizer.follow(network, layoutID: network.layoutID)
            }
        }
    }

    /// Writes the network and the state of the optimiser: see `Optimizer.save`.
    package func save(
        _ session: Session, learningRate: Double, to path: UnsafePointer<CChar>
    ) throws(BackboneError) {
        try using(session) { optimizer throws(BackboneError) in
            try session.readingValues { network throws(BackboneError) in
                try optimizer.save(
                    network, stateDict: try stateDictSources(of: network), learningRate: learningRate,
                    layoutID: network.layoutID, to: path)
            }
        }
    }

    /// Loads the values of a network.
    package typealias Adoption = (consuming NetworkValues, borrowing UniqueArray<Bool>) throws(BackboneError) -> Void

    /// Adds the optimiser's state to a report.
    package typealias Description = (inout LoadReport) throws(BackboneError) -> Void

    /// Reads the state of the optimiser from a file, and replaces it together with the network's values.
    ///
    /// - Parameter loadValues: reads the values. It is given what it lets write to its report before, and what it calls last
    ///   with the values.
    /// - Throws: `stale`; what reading throws. Nothing has changed then.
    package func load(
        _ session: Session, from file: borrowing OptimizerDict, _ cancellation: Cancellation,
        loadValues: (Description, Adoption) throws(BackboneError) -> Void
    ) throws(BackboneError) {
        try using(session) { optimizer throws(BackboneError) in
            let pending = try read(file, for: optimizer, session)
            var isAdopted = false
            defer { if isAdopted { Heap.deallocate(pending) } else { Heap.destroy(pending) } }
            try loadValues({ report throws(BackboneError) in try pending.pointee.describe(in: &report) }) {
                values, isLoaded throws(BackboneError) in
                try session.adopt(
                    values, isLoaded: isLoaded, cancellation,
                    after: { network throws(BackboneError) in
                        try optimizer.check(pending.pointee, network, layoutID: network.layoutID)
                    },
                    commit: {
                        optimizer.adopt(pending.move())
                        isAdopted = true
                    })
            }
        }
    }

    private func read(
        _ file: borrowing OptimizerDict, for optimizer: borrowing Optimizer, _ session: Session
    ) throws(BackboneError) -> UnsafeMutablePointer<LoadedOptimizerState> {
        var loaded: UnsafeMutablePointer<LoadedOptimizerState>?
        try session.sharing { pool throws(BackboneError) in
            try session.reading { network throws(BackboneError) in
                loaded = try Heap.make(
                    try optimizer.readState(from: file, for: network, layoutID: network.layoutID, pool: pool))
            }
        }
        return loaded.unsafelyUnwrapped
    }
}

extension Network {
    fileprivate var layoutID: UInt64 { UInt64(layoutRevision) }
}
