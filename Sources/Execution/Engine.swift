// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// What a handle computes with: kernels, threads, packed weights, and the plans and memory of earlier passes.
package struct Engine: ~Copyable {
    package let normalization: InputNormalization
    let kernels: KernelTable
    let pool: ThreadPool
    /// Written only by a caller that has the handle alone.
    var weights: PackedWeights?

    /// Guards `plans` and `workspaces`.
    let cacheLock: Mutex
    var plans = PlanCache()
    var workspaces = WorkspaceStore()

    /// - Parameter threads: How many one forward may use; 0 for as many as the system leaves to this process.
    package init(
        threads: Int, normalization: consuming InputNormalization, kernels: KernelTable
    ) throws(BackboneError) {
        let pool = try ThreadPool(threads: threads == 0 ? ProcessorCount.available : threads)
        let cacheLock = try Mutex()
        self.normalization = normalization
        self.kernels = kernels
        self.pool = pool
        self.cacheLock = cacheLock
    }

    package var threadCount: Int { pool.threadCount }
}

extension Engine {
    /// Whether forwards can run on the weights as they are packed.
    func isReady(for network: borrowing Network) -> Bool {
        switch weights {
        case .some(let weights): weights.isCurrent(network)
        case .none: false
        }
    }

    /// Packs the weights that have changed. The caller has the handle alone.
    mutating func prepare(_ network: UnsafePointer<Network>) throws(BackboneError) {
        if weights == nil { weights = try PackedWeights(network.pointee, kernels.convolution) }
        try weights?.update(network, kernels.convolution, pool)
    }

    /// What a convolution reads; `prepare` must have succeeded.
    func packedAddresses(unit: Int) -> (weights: UnsafePointer<Float>, bias: UnsafePointer<Float>) {
        switch weights {
        case .some(let weights): (weights.weights(unit: unit), weights.bias(unit: unit))
        case .none: preconditionFailure("weights are prepared first")
        }
    }
}
