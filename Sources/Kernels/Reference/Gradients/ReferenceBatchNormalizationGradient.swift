// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of BatchNorm as its formula says, in Double.
enum ReferenceBatchNormalizationGradient {
    static var kernel: Kernel<BatchNormalizationGradientTask> {
        Kernel(
            name: "batchNormalizationGradientF32_reference", blockCount: { task, _ in task.gradient.channels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is a channel.
    private static func run(_ task: BatchNormalizationGradientTask, channel: Int) {
        let count = Double(task.valueCount)
        let inverse = 1 / (task.variance[channel] + task.epsilon).squareRoot()
        let scale = Double(task.weight[channel]) * inverse
        for image in 0..<task.imageCount {
            for row in 0..<task.gradient.height {
                for column in 0..<task.gradient.width {
                    let gradient = Double(task.gradient.pixel(image: image, row: row, column: column)[channel])
                    let value = Double(task.input.pixel(image: image, row: row, column: column)[channel])
                    let normalized = (value - task.mean[channel]) * inverse
                    let result =
                        scale
                        * (gradient - task.sum[channel] / count
                            - normalized * (task.productSum[channel] * inverse) / count)
                    task.inputGradient.pixel(image: image, row: row, column: column)[channel] = Float(result)
                }
            }
        }
    }
}
