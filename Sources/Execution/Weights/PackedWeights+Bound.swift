// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

// Image sizes get different algorithms, each with a copy of its own. Without a bound, a handle that sees many sizes
// would use several times the memory of its network.
extension PackedWeights {
    /// Bytes of packed copies for a network: two and a half times those of its weights. Only a plan that needs more by
    /// itself may exceed it.
    static func bound(of program: borrowing Program) -> Int {
        var count = 0
        for index in 0..<program.steps.count {
            if let convolution = program.steps[index].convolution {
                count += convolution.definition.weightCount
            }
        }
        return count * MemoryLayout<Float>.stride / 2 * 5
    }

    /// Bytes of the copies that are packed.
    var packedByteCount: Int {
        var count = 0
        for index in 0..<copies.count where copies[index].isPacked { count += copies[index].count }
        return count * MemoryLayout<Float>.stride
    }

    /// Drops copies that a plan does not need until the needed ones fit below the bound: stale ones first, then the
    /// longest unused by any plan. The caller holds the exclusive lock, so no forward pass reads them.
    mutating func makeRoom(
        for plan: UnsafePointer<Plan>, _ network: borrowing Network, _ program: borrowing Program,
        _ kernels: ConvolutionKernels, _ plans: borrowing PlanCache
    ) throws(BackboneError) {
        var byteCount = packedByteCount
        for index in 0..<plan.pointee.steps.count {
            guard let step = plan.pointee.steps[index].convolution else { continue }
            if copies[Self.index(step)].isPacked { continue }
            let shape = ConvolutionShape(step.convolution.definition, height: 1, width: 1)
            let count = checkedSum(kernels[step.algorithm, shape].packedCount(shape), shape.outputChannels)
            byteCount = checkedSum(byteCount, checkedProduct(count, MemoryLayout<Float>.stride)) ?? .max
        }
        let bound = Self.bound(of: program)
        if byteCount <= bound { return }
        var lastUses = try lastUses(of: network, program, plans)
        for index in 0..<plan.pointee.steps.count {
            guard let step = plan.pointee.steps[index].convolution else { continue }
            lastUses[Self.index(step)] = .max
        }
        while byteCount > bound {
            var oldest = -1
            for index in 0..<copies.count where copies[index].isPacked && lastUses[index] < .max {
                if oldest < 0 || lastUses[index] < lastUses[oldest] { oldest = index }
            }
            if oldest < 0 { return }
            byteCount -= copies[oldest].count * MemoryLayout<Float>.stride
            drop(oldest)
        }
    }

    /// When each copy was last used: the latest of the cached plans that have it, 0 of none, -1 if it is stale.
    private func lastUses(
        of network: borrowing Network, _ program: borrowing Program, _ plans: borrowing PlanCache
    ) throws(BackboneError) -> UniqueArray<Int> {
        var uses = try UniqueArray(repeating: 0, count: copies.count)
        let start = uses.mutableElements
        plans.visit { plan, lastUse in
            for index in 0..<plan.steps.count {
                guard let step = plan.steps[index].convolution else { continue }
                let index = Self.index(step)
                start[index] = max(start[index], lastUse)
            }
        }
        for step in 0..<program.steps.count {
            guard let convolution = program.steps[step].convolution else { continue }
            for algorithm in 0..<ConvolutionAlgorithm.count {
                let index = convolution.index * ConvolutionAlgorithm.count + algorithm
                if !copies[index].isCurrent(convolution, network) { start[index] = -1 }
            }
        }
        return uses
    }

    /// Whether copies are of values that have changed or, in training mode, are about to.
    func hasUnneeded(_ network: borrowing Network, _ program: borrowing Program) -> Bool {
        nextUnneeded(after: -1, network, program) != nil
    }

    /// Drops those copies. The caller holds the exclusive lock.
    mutating func dropUnneeded(_ network: borrowing Network, _ program: borrowing Program) {
        var position = -1
        while let next = nextUnneeded(after: position, network, program) {
            drop(next.copy)
            position = next.position
        }
    }

    /// The next of those copies, and its position among the copies in the order of the steps.
    private func nextUnneeded(
        after position: Int, _ network: borrowing Network, _ program: borrowing Program
    ) -> (position: Int, copy: Int)? {
        for position in position + 1..<program.steps.count * ConvolutionAlgorithm.count {
            let (step, algorithm) = position.quotientAndRemainder(dividingBy: ConvolutionAlgorithm.count)
            guard let convolution = program.steps[step].convolution else { continue }
            let index = convolution.index * ConvolutionAlgorithm.count + algorithm
            if copies[index].isPacked && (network.isTraining || !copies[index].isCurrent(convolution, network)) {
                return (position, index)
            }
        }
        return nil
    }

    private mutating func drop(_ index: Int) {
        copies[index].isPacked = false
        guard let start = copies[index].weights else { return }
        shims_release_pages(start, copies[index].count * MemoryLayout<Float>.stride)
    }
}
