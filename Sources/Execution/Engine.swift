// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// What a handle computes with: kernels, threads, packed weights, and the plans and memory of earlier passes.
package struct Engine: ~Copyable {
    package let normalization: InputNormalization
    let kernels: KernelTable
    let planner: Planner
    let pool: ThreadPool
    /// Written only by a caller that has the handle alone.
    var weights: PackedWeights?

    /// Guards `plans` and `workspaces`.
    let cacheLock: Mutex
    var plans = PlanCache()
    var workspaces = WorkspaceStore()

    /// - Parameters:
    ///   - threads: How many one forward may use; 0 for as many as the system leaves to this process
    ///     and the environment allows.
    ///   - planner: For the same kernels.
    package init(
        threads: Int, normalization: consuming InputNormalization, kernels: KernelTable, planner: Planner
    ) throws(BackboneError) {
        let pool = try ThreadPool(threads: threads == 0 ? ThreadLimit.defaultCount : threads)
        let cacheLock = try Mutex()
        self.planner = planner
        self.normalization = normalization
        self.kernels = kernels
        self.pool = pool
        self.cacheLock = cacheLock
    }

    package var threadCount: Int { pool.threadCount }
    package var isDirect: Bool { planner.isDirect }
}

extension Engine {
    /// Whether a forward over a plan can run on the weights as they are packed.
    func isReady(_ plan: borrowing Plan, for network: borrowing Network) -> Bool {
        switch weights {
        case .some(let weights): weights.isCurrent(network, for: plan)
        case .none: false
        }
    }

    /// Packs the weights that a plan needs and that have changed. The caller has the handle alone.
    mutating func prepare(
        _ plan: UnsafePointer<Plan>, for network: UnsafePointer<Network>, _ cancellation: Cancellation
    ) throws(BackboneError) {
        if weights == nil { weights = try PackedWeights(unitCount: network.pointee.units.count) }
        try weights?.makeRoom(for: plan, network.pointee, kernels.convolutions, plans)
        try weights?.update(network, for: plan, kernels.convolutions, pool, cancellation)
    }

    var packedByteCount: Int {
        switch weights {
        case .some(let weights): weights.packedByteCount
        case .none: 0
        }
    }

    /// What a convolution reads; `prepare` must have succeeded.
    func packedAddresses(_ convolution: ConvolutionStep) -> (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>)
    {
        switch weights {
        case .some(let weights): weights.addresses(unit: convolution.unit, convolution.algorithm)
        case .none: preconditionFailure("weights are prepared first")
        }
    }
}
