// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of BatchNorm in Float, with factors per channel that are computed in Double.
enum PortableBatchNormalizationGradient {
    static var kernel: Kernel<BatchNormalizationGradientTask> {
        Kernel(
            name: "batchNormalizationGradientF32_portable", needs: NormGradientFactors.needs,
            blockCount: NormGradientFactors.blockCount,
            runBlock: { task, phase, block, memory in
                let factors = NormGradientFactors(task, memory.shared)
                if phase == 0 {
                    factors.compute(task)
                } else {
                    run(task, factors, block: block)
                }
            })
    }

    static func run(_ task: BatchNormalizationGradientTask, _ factors: NormGradientFactors, block: Int) {
        let channels = task.gradient.channels
        NormGradientFactors.forEachRow(task, block: block) { image, row in
            for column in 0..<task.gradient.width {
                let gradient = task.gradient.pixel(image: image, row: row, column: column)
                let input = task.input.pixel(image: image, row: row, column: column)
                let out = task.inputGradient.pixel(image: image, row: row, column: column)
                for channel in 0..<channels {
                    let deviation = input[channel] - factors.mean[channel]
                    out[channel] =
                        factors.scale[channel] * gradient[channel]
                        + (factors.shift[channel] + factors.slope[channel] * deviation)
                }
            }
        }
    }
}
