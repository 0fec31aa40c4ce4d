// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The gradient of weights as matrix products of OpenBLAS, one for each row of the output and each tap of the window:
/// the transposed gradients of the row times the pixels under the tap.
///
/// The caller keeps OpenBLAS from starting threads: see `BLASThreading`.
enum PortableWeightGradient {
    static var kernel: Kernel<WeightGradientTask> {
        Kernel(
            name: "weightGradientF32_gemm_openblas",
            needs: { WeightGradientParts($0).needs(scratchCount: 0) },
            blockCount: { task, phase in
                let parts = WeightGradientParts(task)
                if phase == 1 { return parts.combiningBlockCount }
                if task.shape.groups > 1 { return PlainWeightGradient.blockCount(task, in: parts) }
                return parts.rows.count * task.shape.kernelSize * task.shape.kernelSize
            },
            runBlock: { task, phase, block, memory in
                let parts = WeightGradientParts(task)
                if phase == 1 { return parts.combine(block: block, memory) }
                if task.shape.groups > 1 { return PlainWeightGradient.run(task, parts, block, memory.shared) }
                run(task, parts, block, memory.shared)
            })
    }

    /// A block is a tap of a part of the rows.
    private static func run(
        _ task: WeightGradientTask, _ parts: WeightGradientParts, _ block: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        let shape = task.shape
        let (part, tap) = block.quotientAndRemainder(dividingBy: shape.kernelSize * shape.kernelSize)
        let (y, x) = tap.quotientAndRemainder(dividingBy: shape.kernelSize)
        let out = parts.floats(part, shared) + tap * shape.inputChannels
        var isFirst = true
        for index in parts.rows[part] {
            let (image, row) = parts.rows.place(index)
            let input = task.input.pixel(
                image: image, row: row * shape.stride - shape.padding + y * shape.dilation,
                column: x * shape.dilation - shape.padding)
            let gradient = task.outputGradient.pixel(image: image, row: row, column: 0)
            OpenBLAS.functions.sgemm(
                OpenBLAS.rowMajor, OpenBLAS.transpose, OpenBLAS.noTranspose, Int32(shape.outputChannels),
                Int32(shape.inputChannels), Int32(shape.outputWidth), 1, gradient, Int32(shape.outputChannels), input,
                Int32(shape.stride * shape.inputChannels), isFirst ? 0 : 1, out, Int32(shape.windowCount))
            isFirst = false
        }
    }
}
