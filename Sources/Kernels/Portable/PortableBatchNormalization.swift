// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The statistics of a batch in two passes over groups of channels, which no two threads share.
enum PortableBatchStatistics {
    static var kernel: Kernel<BatchStatisticsTask> {
        Kernel(
            name: "batchStatisticsF32_portable", blockCount: { task, _ in blockCount(channels: task.input.channels) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// Channels of a block: a cache line.
    private static let groupSize = 16

    static func blockCount(channels: Int) -> Int { divideRoundingUp(channels, groupSize) }

    /// The channels of a block.
    static func channels(of block: Int, count: Int) -> Range<Int> {
        (block * groupSize)..<min((block + 1) * groupSize, count)
    }

    /// A block is a group of channels. The second pass sums squares of differences from the mean: the difference of two
    /// sums in one pass would cancel for a large mean.
    static func run(_ task: BatchStatisticsTask, block: Int) {
        let first = block * groupSize
        let channels = min(groupSize, task.input.channels - first)
        let mean = task.mean + first
        let variance = task.variance + first
        let count = Double(task.valueCount)

        if channels == groupSize { return computeVectors(task, first: first, count: count) }
        mean.update(repeating: 0, count: channels)
        forEachPixel(of: task) { pixel in
            let values = pixel + first
            for channel in 0..<channels { mean[channel] += Double(values[channel]) }
        }
        for channel in 0..<channels { mean[channel] /= count }

        variance.update(repeating: 0, count: channels)
        forEachPixel(of: task) { pixel in
            let values = pixel + first
            for channel in 0..<channels {
                let deviation = Double(values[channel]) - mean[channel]
                variance[channel] += deviation * deviation
            }
        }
        for channel in 0..<channels { variance[channel] /= count }
    }

    /// A whole group, with sums in registers.
    private static func computeVectors(_ task: BatchStatisticsTask, first: Int, count: Double) {
        var (lowMean, highMean) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        forEachPixel(of: task) { pixel in
            lowMean += SIMD8<Double>((pixel + first).octet)
            highMean += SIMD8<Double>((pixel + first + 8).octet)
        }
        lowMean /= count
        highMean /= count

        var (lowVariance, highVariance) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        forEachPixel(of: task) { pixel in
            let low = SIMD8<Double>((pixel + first).octet) - lowMean
            let high = SIMD8<Double>((pixel + first + 8).octet) - highMean
            lowVariance += low * low
            highVariance += high * high
        }
        (task.mean + first).store(lowMean)
        (task.mean + first + 8).store(highMean)
        (task.variance + first).store(lowVariance / count)
        (task.variance + first + 8).store(highVariance / count)
    }

    @inline(__always)
    private static func forEachPixel(of task: BatchStatisticsTask, _ body: (UnsafePointer<Float>) -> Void) {
        for image in 0..<task.imageCount {
            for row in 0..<task.input.height {
                if task.cancellation.isCancelled { return }
                var pixel = UnsafePointer(task.input.pixel(image: image, row: row, column: 0))
                for _ in 0..<task.input.width {
                    body(pixel)
                    pixel += task.input.channels
                }
            }
        }
    }
}

/// BatchNorm in Float, with a factor per channel that is computed in Double.
enum PortableBatchNormalization {
    static var kernel: Kernel<BatchNormalizationTask> {
        Kernel(
            name: "batchNormalizationF32_portable",
            needs: { KernelNeeds(scratchCount: scratchCount(channels: $0.output.channels)) },
            blockCount: { task, _ in blockCount(task.output) },
            runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) })
    }

    static func blockCount(_ output: Activation) -> Int {
        rowBlockCount(height: output.height, rowFloats: output.rowFloats)
    }

    /// A mean and a factor for each channel.
    static func scratchCount(channels: Int) -> Int { 2 * channels }

    /// A block is a range of rows.
    static func run(_ task: BatchNormalizationTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let channels = task.output.channels
        let mean = scratch
        let factor = scratch + channels
        for channel in 0..<channels {
            mean[channel] = Float(task.mean[channel])
            factor[channel] = Float(
                Double(task.weight[channel]) / (task.variance[channel] + task.epsilon).squareRoot())
        }
        let lowerBound: Float = task.relu ? 0 : -.infinity
        for row in blockRange(block, of: blockCount(task.output), count: task.output.height) {
            for column in 0..<task.output.width {
                normalize(
                    UnsafePointer(task.input.pixel(row: row, column: column)), mean: mean, factor: factor,
                    bias: task.bias, residual: UnsafePointer(task.residual?.pixel(row: row, column: column)),
                    lowerBound: lowerBound, to: task.output.pixel(row: row, column: column), channels: channels)
            }
        }
    }

    /// One pixel: the larger of its values and the bound; NaN for NaN.
    private static func normalize(
        _ pixel: UnsafePointer<Float>, mean: UnsafePointer<Float>, factor: UnsafePointer<Float>,
        bias: UnsafePointer<Float>, residual: UnsafePointer<Float>?, lowerBound: Float,
        to out: UnsafeMutablePointer<Float>, channels: Int
    ) {
        let bounds = SIMD8<Float>(repeating: lowerBound)
        var channel = 0
        while channel + 8 <= channels {
            let deviations = (pixel + channel).octet - (mean + channel).octet
            var values = deviations * (factor + channel).octet + (bias + channel).octet
            if let residual { values += (residual + channel).octet }
            values.replace(with: bounds, where: values .< bounds)
            (out + channel).store(values)
            channel += 8
        }
        while channel < channels {
            var value = (pixel[channel] - mean[channel]) * factor[channel] + bias[channel]
            if let residual { value += residual[channel] }
            out[channel] = value < lowerBound ? lowerBound : value
            channel += 1
        }
    }
}
