// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The sums that the gradient of a GroupNorm needs, in the memory that its phases share: those of the channels, in
/// Double, then the coefficients from those of the groups.
struct GroupGradientSums {
    /// The input gradient as a linear function of the output gradient and of the input, one value per channel each.
    struct Coefficients {
        let mean: UnsafeMutablePointer<Float>
        let gradientFactor: UnsafeMutablePointer<Float>
        let inputFactor: UnsafeMutablePointer<Float>
        let offset: UnsafeMutablePointer<Float>
    }

    let coefficients: Coefficients
    private let task: GroupNormalizationGradientTask
    private let mean: UnsafeMutablePointer<Double>
    private let variance: UnsafeMutablePointer<Double>
    /// Sums of the output gradient.
    private let sum: UnsafeMutablePointer<Double>
    /// Sums of the output gradient times the input's difference from the mean of its channel.
    private let productSum: UnsafeMutablePointer<Double>

    /// Floats of shared memory.
    static func floatCount(channels: Int) -> Int {
        channels * (4 * MemoryLayout<Double>.size / MemoryLayout<Float>.size + 4)
    }

    init(_ task: GroupNormalizationGradientTask, _ shared: UnsafeMutablePointer<Float>) {
        self.task = task
        let channels = task.input.channels
        mean = UnsafeMutableRawPointer(shared).assumingMemoryBound(to: Double.self)
        variance = mean + channels
        sum = variance + channels
        productSum = sum + channels
        let floats = UnsafeMutableRawPointer(productSum + channels).assumingMemoryBound(to: Float.self)
        coefficients = Coefficients(
            mean: floats, gradientFactor: floats + channels, inputFactor: floats + 2 * channels,
            offset: floats + 3 * channels)
    }

    /// Computes the mean and the variance of the channels.
    var statistics: BatchStatisticsTask {
        BatchStatisticsTask(input: task.input, imageCount: 1, mean: mean, variance: variance)
    }

    /// Sums the gradients of some channels, whose means are known.
    func sumChannels(_ channels: Range<Int>) {
        forEachOctet(channels.count) { index, lanes in
            let channel = channels.lowerBound + index
            var means = SIMD8<Double>.zero
            for lane in 0..<lanes { means[lane] = mean[channel + lane] }
            var (sums, productSums) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
            for row in 0..<task.input.height {
                var input = UnsafePointer(task.input.pixel(row: row, column: 0)) + channel
                var gradient = UnsafePointer(task.outputGradient.pixel(row: row, column: 0)) + channel
                for _ in 0..<task.input.width {
                    let values = SIMD8<Double>(gradient.octet(lanes))
                    sums += values
                    productSums += values * (SIMD8<Double>(input.octet(lanes)) - means)
                    input += task.input.channels
                    gradient += task.input.channels
                }
            }
            (sum + channel).store(sums, lanes)
            (productSum + channel).store(productSums, lanes)
        }
    }

    /// Computes the gradients of weight and bias of a group's channels, and their coefficients.
    func unite(group: Int) {
        let channels = (group * task.groupSize)..<((group + 1) * task.groupSize)
        let groupMean = average(channels) { mean[$0] }
        // The mean of the variances plus the variance of the means: all terms are positive, so none cancel.
        let groupVariance = average(channels) { variance[$0] + (mean[$0] - groupMean) * (mean[$0] - groupMean) }
        let factor = 1 / (groupVariance + task.epsilon).squareRoot()

        // Sums of the gradient times the weight, and of that times the normalised input.
        var (total, productTotal) = (0.0, 0.0)
        for channel in channels {
            let normalizedSum = (productSum[channel] + (mean[channel] - groupMean) * sum[channel]) * factor
            task.weightGradient[channel] += normalizedSum
            task.biasGradient[channel] += sum[channel]
            total += Double(task.weight[channel]) * sum[channel]
            productTotal += Double(task.weight[channel]) * normalizedSum
        }
        let count = Double(task.input.height * task.input.width * task.groupSize)
        for channel in channels {
            coefficients.mean[channel] = Float(groupMean)
            coefficients.gradientFactor[channel] = Float(Double(task.weight[channel]) * factor)
            coefficients.inputFactor[channel] = Float(-factor * factor * productTotal / count)
            coefficients.offset[channel] = Float(-factor * total / count)
        }
    }

    @inline(__always)
    private func average(_ channels: Range<Int>, _ term: (_ channel: Int) -> Double) -> Double {
        var sum = 0.0
        for channel in channels { sum += term(channel) }
        return sum / Double(channels.count)
    }
}
