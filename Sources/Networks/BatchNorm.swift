// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The constants of a BatchNorm, those of PyTorch's `nn.BatchNorm2d`.
package enum BatchNorm {
    /// Added to variances, unless a network asks for something else.
    package static var defaultEpsilon: Float { 1e-5 }
    /// The share of the newest batch in the running statistics.
    package static var momentum: Double { 0.1 }

    /// What to compute with for an epsilon that a caller asks for. PyTorch's default is no float: the double that is
    /// meant by it is taken.
    ///
    /// - Throws: `invalidArgument` if it is not finite and positive.
    static func epsilon(_ value: Float) throws(BackboneError) -> Double {
        guard value > 0 && value.isFinite else {
            throw BackboneError(.invalidArgument, "norm_eps must be finite and positive, default 1e-5")
        }
        return value == defaultEpsilon ? 1e-5 : Double(value)
    }
}

extension Network {
    /// Takes the statistics of a batch into a unit's running ones: `(1 - momentum) * running + momentum * batch`, where
    /// the variance kept is the unbiased one, and counts the batch.
    ///
    /// - Parameters:
    ///   - mean: One value per channel.
    ///   - variance: The biased variance of each channel.
    ///   - count: Values per channel, at least 2.
    package mutating func updateRunningStatistics(
        unit index: Int, mean: UnsafePointer<Double>, variance: UnsafePointer<Double>, count: Int
    ) {
        let unit = units[index]
        let runningMean = floats + unit.runningMeanOffset
        let runningVar = floats + unit.runningVarOffset
        let unbiased = Double(count) / Double(count - 1)
        let (keep, take) = (1 - BatchNorm.momentum, BatchNorm.momentum)
        for channel in 0..<unit.outputChannels {
            runningMean[channel] = Float(keep * Double(runningMean[channel]) + take * mean[channel])
            runningVar[channel] = Float(keep * Double(runningVar[channel]) + take * variance[channel] * unbiased)
        }
        // In two steps: `batchesTracked[index] &+= 1` crashes the compiler (6.3.1) under ThreadSanitizer.
        let tracked = batchesTracked + index
        tracked.pointee = tracked.pointee &+ 1
        revisions[index].norm += 1
    }
}
