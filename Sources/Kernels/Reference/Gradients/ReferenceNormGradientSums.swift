// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The sums of a norm's gradient, channel by channel.
enum ReferenceNormGradientSums {
    static var kernel: Kernel<NormGradientSumsTask> {
        Kernel(
            name: "normGradientSumsF32_reference", blockCount: { task, _ in task.gradient.channels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is a channel.
    private static func run(_ task: NormGradientSumsTask, channel: Int) {
        var (sum, productSum) = (0.0, 0.0)
        for image in 0..<task.imageCount {
            for row in 0..<task.gradient.height {
                for column in 0..<task.gradient.width {
                    var gradient = task.gradient.pixel(image: image, row: row, column: column)[channel]
                    if let result = task.result {
                        if result.pixel(image: image, row: row, column: column)[channel] <= 0 { gradient = 0 }
                        task.masked.pixel(image: image, row: row, column: column)[channel] = gradient
                    }
                    sum += Double(gradient)
                    if let input = task.input, let mean = task.mean {
                        let value = input.pixel(image: image, row: row, column: column)[channel]
                        productSum += Double(gradient) * (Double(value) - mean[channel])
                    }
                }
            }
        }
        task.sum[channel] = sum
        if task.input != nil, let out = task.productSum { out[channel] = productSum }
    }
}
