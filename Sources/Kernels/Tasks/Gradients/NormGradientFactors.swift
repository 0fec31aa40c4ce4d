// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The factors of a BatchNorm's gradient, for each channel, in the memory that its phases share:
/// `inputGradient = scale * gradient + (shift + slope * (input - mean))`.
struct NormGradientFactors {
    let scale: UnsafeMutablePointer<Float>
    let shift: UnsafeMutablePointer<Float>
    let slope: UnsafeMutablePointer<Float>
    let mean: UnsafeMutablePointer<Float>

    /// The first computes the factors, the second the rows.
    static var phaseCount: Int { 2 }

    static func floatCount(_ task: BatchNormalizationGradientTask) -> Int { 4 * task.gradient.channels }

    init(_ task: BatchNormalizationGradientTask, _ shared: UnsafeMutablePointer<Float>) {
        let channels = task.gradient.channels
        scale = shared
        shift = shared + channels
        slope = shared + 2 * channels
        mean = shared + 3 * channels
    }

    func compute(_ task: BatchNormalizationGradientTask) {
        let count = Double(task.valueCount)
        for channel in 0..<task.gradient.channels {
            let inverse = 1 / (task.variance[channel] + task.epsilon).squareRoot()
            let factor = Double(task.weight[channel]) * inverse
            scale[channel] = Float(factor)
            shift[channel] = Float(-factor * task.sum[channel] / count)
            slope[channel] = Float(-factor * task.productSum[channel] * inverse * inverse / count)
            mean[channel] = Float(task.mean[channel])
        }
    }

    static func needs(_ task: BatchNormalizationGradientTask) -> KernelNeeds {
        KernelNeeds(phaseCount: phaseCount, sharedCount: floatCount(task))
    }

    static func blockCount(_ task: BatchNormalizationGradientTask, phase: Int) -> Int {
        phase == 0
            ? 1 : rowBlockCount(height: task.imageCount * task.gradient.height, rowFloats: task.gradient.rowFloats)
    }

    /// Calls `body` with each row of a block of the second phase.
    @inline(__always)
    static func forEachRow(
        _ task: BatchNormalizationGradientTask, block: Int, _ body: (_ image: Int, _ row: Int) -> Void
    ) {
        let height = task.gradient.height
        for index in blockRange(block, of: blockCount(task, phase: 1), count: task.imageCount * height) {
            body(index / height, index % height)
        }
    }
}
