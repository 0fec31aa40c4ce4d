// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The kernels, threads and packed weights of a handle, and the plans and memory of earlier passes.
package struct Engine: ~Copyable {
    package let normalization: InputNormalization
    let program: Program
    let kernels: KernelTable
    let planner: Planner
    private let threads: SharedThreads
    /// Written only under the handle's exclusive lock.
    var weights: PackedWeights?

    /// Guards `plans` and `workspaces`.
    let cacheLock: Mutex
    var plans = PlanCache()
    var workspaces = WorkspaceStore()

    /// - Parameters:
    ///   - threads: The number that one forward pass may use; 0 for as many as the system and the environment allow
    ///     this process.
    ///   - planner: For the same kernels.
    package init(
        _ graph: borrowing Graph, threads: Int, normalization: consuming InputNormalization, kernels: KernelTable,
        planner: Planner
    ) throws(BackboneError) {
        let program = try Lowering.program(graph)
        let threads = try SharedThreads(threads == 0 ? ThreadLimit.defaultCount : threads)
        let cacheLock = try Mutex()
        self.program = program
        self.planner = planner
        self.normalization = normalization
        self.kernels = kernels
        self.threads = threads
        self.cacheLock = cacheLock
    }

    /// An engine for a part of the graph that computes with the threads of another one, which must outlive it.
    init(_ graph: borrowing Graph, _ part: GraphPart, planner: Planner, sharing other: borrowing Engine)
        throws(BackboneError)
    {
        let program = try Lowering.program(graph, part)
        let normalization = try InputNormalization(copying: other.normalization, channels: graph.inputChannels)
        let cacheLock = try Mutex()
        self.program = program
        self.planner = planner
        self.normalization = normalization
        kernels = other.kernels
        threads = SharedThreads(sharing: other.threads)
        self.cacheLock = cacheLock
    }

    var pool: ThreadPool {
        @inline(__always)
        unsafeAddress { UnsafePointer(threads.pool) }
    }

    package var threadCount: Int { pool.threadCount }
    package var isDirect: Bool { planner.isDirect }
}

/// A pool of threads that several engines use, one of which owns it.
private struct SharedThreads: ~Copyable {
    let pool: UnsafeMutablePointer<ThreadPool>
    private let isOwner: Bool

    init(_ count: Int) throws(BackboneError) {
        pool = try Heap.make(try ThreadPool(threads: count))
        isOwner = true
    }

    init(sharing other: borrowing SharedThreads) {
        pool = other.pool
        isOwner = false
    }

    deinit { if isOwner { Heap.destroy(pool) } }
}

extension Engine {
    /// Whether a forward pass with a plan can use the weights as they are packed now.
    func isReady(_ plan: borrowing Plan, for network: borrowing Network) -> Bool {
        switch weights {
        case .some(let weights): weights.isCurrent(network, for: plan)
        case .none: false
        }
    }

    /// Packs the weights that a plan needs and that have changed. The caller holds the exclusive lock.
    mutating func prepare(
        _ plan: UnsafePointer<Plan>, for network: UnsafePointer<Network>, _ cancellation: Cancellation
    ) throws(BackboneError) {
        if weights == nil { weights = try PackedWeights(convolutionCount: program.convolutionCount) }
        try weights?.makeRoom(for: plan, network.pointee, program, kernels.convolutions, plans)
        let pool = threads.pool
        try weights?.update(network, for: plan, kernels.convolutions, pool.pointee, cancellation)
    }

    func hasUnneededWeights(of network: borrowing Network) -> Bool {
        switch weights {
        case .some(let weights): weights.hasUnneeded(network, program)
        case .none: false
        }
    }

    mutating func releaseUnneededWeights(of network: borrowing Network) { weights?.dropUnneeded(network, program) }

    var packedByteCount: Int {
        switch weights {
        case .some(let weights): weights.packedByteCount
        case .none: 0
        }
    }

    /// The weights of a convolution; `prepare` must have succeeded.
    func packedAddresses(_ convolution: ConvolutionStep) -> (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>)
    {
        switch weights {
        case .some(let weights): weights.addresses(convolution)
        case .none: preconditionFailure("weights are prepared first")
        }
    }
}
