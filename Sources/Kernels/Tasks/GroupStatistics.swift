// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The phases of a GroupNorm. The first one works on channels, not on groups: threads share even a single group, and
/// small groups in one cache line do not each read it. The last phase normalises rows.
enum GroupNormalizationPhase {
    static let channelStatistics = 0
    static let groupStatistics = 1
    static let count = 3
}

/// The statistics of a GroupNorm in the memory that its phases share: those of the channels, then those of the groups.
struct GroupStatistics {
    private let task: GroupNormalizationTask
    private let mean: UnsafeMutablePointer<Double>
    private let variance: UnsafeMutablePointer<Double>

    /// Floats of shared memory.
    static func floatCount(channels: Int) -> Int {
        2 * channels * (MemoryLayout<Double>.size / MemoryLayout<Float>.size)
    }

    init(_ task: GroupNormalizationTask, _ shared: UnsafeMutablePointer<Float>) {
        self.task = task
        mean = UnsafeMutableRawPointer(shared).assumingMemoryBound(to: Double.self)
        variance = mean + task.input.channels
    }

    /// Computes the statistics of the channels.
    var ofChannels: BatchStatisticsTask {
        BatchStatisticsTask(input: task.input, imageCount: 1, mean: mean, variance: variance)
    }

    /// Normalises with the statistics.
    var normalization: BatchNormalizationTask {
        BatchNormalizationTask(
            input: task.input, mean: mean, variance: variance, epsilon: task.epsilon, weight: task.weight,
            bias: task.bias, residual: task.residual, relu: task.relu, output: task.output)
    }

    /// Replaces the statistics of all channels by those of their groups.
    func unite() {
        for group in 0..<task.groups {
            let first = group * task.groupSize
            unite(mean + first, variance + first, count: task.groupSize)
        }
    }

    /// Replaces the statistics of channels by those of all their values. The variance of the union is the mean of the
    /// variances plus the variance of the means: all terms are positive, so none cancel.
    private func unite(_ means: UnsafeMutablePointer<Double>, _ variances: UnsafeMutablePointer<Double>, count: Int) {
        var mean = 0.0
        for channel in 0..<count { mean += means[channel] }
        mean /= Double(count)
        var variance = 0.0
        for channel in 0..<count {
            let deviation = means[channel] - mean
            variance += variances[channel] + deviation * deviation
        }
        variance /= Double(count)
        means.update(repeating: mean, count: count)
        variances.update(repeating: variance, count: count)
    }
}
