// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Input conversion of images of three channels, eight pixels at a time. Others are left to the portable kernel.
enum VectorInputConversion<Instructions: VectorInstructions> {
    static var kernel: Kernel<InputConversionTask> {
        Kernel(
            name: Instructions.names.inputConversion,
            blockCount: { task, _ in PortableInputConversion.blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: InputConversionTask, block: Int) {
        let isCopy = task.element == .float32 && task.columnStride != 1 && !task.isNormalized
        guard task.output.channels == 3, !isCopy else {
            return PortableInputConversion.run(task, block: block)
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
            Instructions.interleave(
                plane, plane + channelStride, plane + 2 * channelStride, width: task.output.width, out: out)
        } else {
            PortableInputConversion.copyFloats(task, row: row)
        }
        if task.isNormalized {
            Instructions.normalizeInPlace(out, width: task.output.width, means: means, deviations: deviations)
        }
    }

    private static func normalize(
        _ task: InputConversionTask, row: Int, _ means: UnsafePointer<Float>, _ deviations: UnsafePointer<Float>
    ) {
        let (offset, channelStride) = task.channelOrder
        let source = task.source.assumingMemoryBound(to: UInt8.self) + (row * task.rowStride + offset)
        let out = task.output.pixel(row: row, column: 0)
        if channelStride == 1 && task.columnStride == 3 {
            Instructions.normalizePixels(
                source, width: task.output.width, means: means, deviations: deviations, out: out)
        } else {
            Instructions.normalizePlanes(
                source, source + channelStride, source + 2 * channelStride, stride: task.columnStride,
                width: task.output.width, means: means, deviations: deviations, out: out)
        }
    }
}
