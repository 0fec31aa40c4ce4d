// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of global pooling, eight channels at a time.
enum PortableGlobalPoolingGradient {
    static var kernel: Kernel<GlobalPoolingGradientTask> {
        Kernel(
            name: "globalPoolingGradientF32_portable",
            needs: { KernelNeeds(scratchCount: $0.inputGradient.channels) },
            blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) })
    }

    private static func blockCount(_ task: GlobalPoolingGradientTask) -> Int {
        rowBlockCount(height: task.inputGradient.height, rowFloats: task.inputGradient.rowFloats)
    }

    /// A block is a range of rows.
    private static func run(
        _ task: GlobalPoolingGradientTask, block: Int, scratch: UnsafeMutablePointer<Float>
    ) {
        let image = task.inputGradient
        // All pixels receive the same, so it is divided once.
        let share = scratch
        let count = Float(image.height * image.width)
        forEachOctet(image.channels) { channel, lanes in
            (share + channel).store((task.outputGradient.origin + channel).octet(lanes) / count, lanes)
        }
        for row in blockRange(block, of: blockCount(task), count: image.height) {
            for column in 0..<image.width {
                let out = image.pixel(row: row, column: column)
                forEachOctet(image.channels) { channel, lanes in
                    (out + channel).write((share + channel).octet(lanes), lanes, accumulates: task.accumulates)
                }
            }
        }
    }
}
