// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import KernelsAVX2

/// Input conversion of images of three channels, eight pixels at a time. Others are left to the portable kernel.
enum InputConversionAVX2 {
    static var kernel: BlockKernel<InputConversionTask> {
        BlockKernel(
            name: "inputConversion_avx2", blockCount: PortableInputConversion.blockCount, scratchCount: { _ in 0 },
            run: run)
    }

    private static func run(task: InputConversionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let isCopy = task.element == .float32 && task.columnStride != 1 && !task.isNormalized
        guard task.output.channels == 3, !isCopy else {
            return PortableInputConversion.run(task: task, block: block, scratch: scratch)
        }
        let means = pattern(task.mean, default: 0)
        let deviations = pattern(task.standardDeviation, default: 1)
        means.span.withUnsafeBufferPointer { means in
            deviations.span.withUnsafeBufferPointer { deviations in
                guard let means = means.baseAddress, let deviations = deviations.baseAddress else { return }
                for row in PortableInputConversion.rows(of: block, task) {
                    switch task.element {
                    case .float32: convertFloats(task, row: row, means, deviations)
                    case .uint8: normalize(task, row: row, means, deviations)
                    }
                }
            }
        }
    }

    /// The values of eight pixels.
    private static func pattern(_ values: UnsafePointer<Float>?, default value: Float) -> InlineArray<24, Float> {
        InlineArray<24, Float> { index in values?[index % 3] ?? value }
    }

    /// Copies a row, and normalises it in place while it is in the first-level cache.
    private static func convertFloats(
        _ task: InputConversionTask, row: Int, _ means: UnsafePointer<Float>, _ deviations: UnsafePointer<Float>
    ) {
        let out = task.output.pixel(row: row, column: 0)
        if task.columnStride == 1 {
            let (offset, channelStride) = task.channelOrder
            let plane = task.source.assumingMemoryBound(to: Float.self) + (row * task.rowStride + offset)
            interleave(
                plane, plane + channelStride, plane + 2 * channelStride, width: task.output.width, out: out)
        } else {
            PortableInputConversion.copyFloats(task, row: row)
        }
        if task.isNormalized {
            normalizeInPlace(out, width: task.output.width, means: means, deviations: deviations)
        }
    }

    private static func normalize(
        _ task: InputConversionTask, row: Int, _ means: UnsafePointer<Float>, _ deviations: UnsafePointer<Float>
    ) {
        let (offset, channelStride) = task.channelOrder
        let source = task.source.assumingMemoryBound(to: UInt8.self) + (row * task.rowStride + offset)
        let out = task.output.pixel(row: row, column: 0)
        if channelStride == 1 && task.columnStride == 3 {
            normalizePixels(source, width: task.output.width, means: means, deviations: deviations, out: out)
        } else {
            normalizePlanes(
                source, source + channelStride, source + 2 * channelStride, stride: task.columnStride,
                width: task.output.width, means: means, deviations: deviations, out: out)
        }
    }
}
