// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension Network {
    /// Updates a BatchNorm's running statistics from those of a batch: `(1 - momentum) * running + momentum * batch`,
    /// where the variance kept is the unbiased one, and counts the batch. In a collecting pass they are added to the
    /// collected ones.
    ///
    /// - Parameters:
    ///   - mean: One value per channel.
    ///   - variance: The biased variance of each channel.
    ///   - count: Values per channel, at least 2.
    package mutating func updateRunningStatistics(
        node: Int, mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, count: Int
    ) {
        if isCollecting { return collect(node: node, mean: mean, variance: variance, count: count) }
        guard let meanEntry = graph.entry(.runningMean, ofNode: node),
            let varEntry = graph.entry(.runningVar, ofNode: node),
            let countEntry = graph.entry(.batchesTracked, ofNode: node)
        else { preconditionFailure("node \(node) is not a BatchNorm") }
        let (runningMean, runningVar) = (floats(of: meanEntry), floats(of: varEntry))
        let unbiased = Double(count) / Double(count - 1)
        let (keep, take) = (1 - BatchNorm.momentum, BatchNorm.momentum)
        for channel in 0..<graph.nodes[node].channels {
            runningMean[channel] = Float(keep * Double(runningMean[channel]) + take * mean[channel])
            runningVar[channel] = Float(keep * Double(runningVar[channel]) + take * variance[channel] * unbiased)
        }
        // Two steps: `counters[index] &+= 1` crashes the compiler (6.3.1) under ThreadSanitizer.
        let tracked = counters + countEntry.valueOffset
        tracked.pointee = tracked.pointee &+ 1
        revisions[node] += 1
    }
}
