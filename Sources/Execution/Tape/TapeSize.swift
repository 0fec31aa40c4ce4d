// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Runtime

/// The memory needs of a tape.
struct TapeSize: BitwiseCopyable {
    let workspace: WorkspaceSize
    /// Floats of the packed weights and of the bias of one convolution.
    let packed: Int
    let bias: Int
    let byteCount: Int

    init?(_ plan: borrowing TapePlan, scratch: Int, shared: Int, _ engine: borrowing Engine) {
        guard let scratch = Heap.aligned(scratch, Float.self), let shared = Heap.aligned(shared, Float.self),
            let packed = Heap.aligned(plan.mostPacked, Float.self),
            let bias = Heap.aligned(plan.mostChannels, Float.self),
            let statistics = Heap.aligned(plan.statisticsCount, Double.self)
        else { return nil }
        workspace = WorkspaceSize(
            activations: plan.floatCount, shared: shared, scratch: scratch, workers: engine.threadCount,
            statistics: statistics)
        self.packed = packed
        self.bias = bias
        let floats = checkedSum(packed, bias)
        guard let extra = checkedProduct(floats, MemoryLayout<Float>.stride),
            let count = checkedSum(workspace.byteCount, extra)
        else { return nil }
        byteCount = count
    }
}
