// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of subsampling, a pixel at a time.
enum PortableSubsampleGradient {
    static var kernel: Kernel<SubsampleGradientTask> {
        Kernel(
            name: "subsampleGradientF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func blockCount(_ task: SubsampleGradientTask) -> Int {
        rowBlockCount(height: task.inputGradient.height, rowFloats: task.inputGradient.rowFloats)
    }

    /// A block is a range of rows of the input gradient.
    private static func run(_ task: SubsampleGradientTask, block: Int) {
        let (image, stride) = (task.inputGradient, task.subsampling.stride)
        for row in blockRange(block, of: blockCount(task), count: image.height) {
            if !task.accumulates { image.pixel(row: row, column: 0).update(repeating: 0, count: image.rowFloats) }
            guard row % stride == 0 else { continue }
            for column in 0..<task.outputGradient.width {
                let out = image.pixel(row: row, column: column * stride)
                let gradient =
                    UnsafePointer(task.outputGradient.pixel(row: row / stride, column: column))
                    + task.subsampling.firstChannel
                forEachOctet(image.channels) { channel, lanes in
                    (out + channel).write(
                        (gradient + channel).octet(lanes), lanes, accumulates: task.accumulates)
                }
            }
        }
    }
}
