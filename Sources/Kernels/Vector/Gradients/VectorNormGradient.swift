// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The sums of a norm's gradient, a row at a time. Channels that fill no vectors are left to the portable kernel.
enum VectorNormGradientSums<Instructions: VectorInstructions> {
    static var kernel: Kernel<NormGradientSumsTask> {
        Kernel(
            name: Instructions.names.normGradientSums, needs: { $0.parts.needs },
            blockCount: { task, phase in task.parts.blockCount(phase: phase) },
            runBlock: { task, phase, block, memory in
                if phase == 1 { return task.combine(block: block, memory.shared) }
                // The leaf function adds up eight channels at a time.
                if task.gradient.channels % 8 == 0 {
                    run(task, block, memory.shared)
                } else {
                    PortableNormGradientSums.run(task, block, memory.shared)
                }
            })
    }

    private static func run(
        _ task: NormGradientSumsTask, _ part: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        let channels = task.gradient.channels
        let parts = task.parts
        let (sums, productSums) = parts.begin(part, shared)
        for index in parts.rows[part] {
            let (image, row) = parts.rows.place(index)
            let pixels = shims_norm_gradient(
                gradient: task.gradient.pixel(image: image, row: row, column: 0),
                result: task.result?.pixel(image: image, row: row, column: 0),
                masked: task.masked.pixel(image: image, row: row, column: 0),
                input: task.input?.pixel(image: image, row: row, column: 0), mean: task.mean, channels: channels,
                pixels: task.gradient.width)
            Instructions.normGradientSums(pixels, sums: sums, productSums: productSums)
        }
    }
}

/// The gradient of BatchNorm. Channels that fill no vectors are left to the portable kernel.
enum VectorBatchNormalizationGradient<Instructions: VectorInstructions> {
    static var kernel: Kernel<BatchNormalizationGradientTask> {
        Kernel(
            name: Instructions.names.batchNormalizationGradient, needs: NormGradientFactors.needs,
            blockCount: NormGradientFactors.blockCount,
            runBlock: { task, phase, block, memory in
                let factors = NormGradientFactors(task, memory.shared)
                if phase == 0 { return factors.compute(task) }
                if task.gradient.channels % Instructions.lanes == 0 {
                    run(task, factors, block: block)
                } else {
                    PortableBatchNormalizationGradient.run(task, factors, block: block)
                }
            })
    }

    private static func run(_ task: BatchNormalizationGradientTask, _ factors: NormGradientFactors, block: Int) {
        NormGradientFactors.forEachRow(task, block: block) { image, row in
            Instructions.normGradient(
                task.gradient.pixel(image: image, row: row, column: 0),
                input: task.input.pixel(image: image, row: row, column: 0), scale: factors.scale, shift: factors.shift,
                slope: factors.slope, mean: factors.mean, channels: task.gradient.channels,
                pixels: task.gradient.width, out: task.inputGradient.pixel(image: image, row: row, column: 0))
        }
    }
}
