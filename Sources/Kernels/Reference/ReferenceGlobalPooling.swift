// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Global pooling as its definition says.
enum ReferenceGlobalPooling {
    static var kernel: Kernel<GlobalPoolingTask> {
        Kernel(
            name: "globalPoolingF32_reference", blockCount: { task, _ in task.input.channels },
            runBlock: { task, _, block, _ in run(task, channel: block) })
    }

    /// A block is a channel.
    private static func run(_ task: GlobalPoolingTask, channel: Int) {
        var sum = 0.0
        for row in 0..<task.input.height {
            for column in 0..<task.input.width { sum += Double(task.input.pixel(row: row, column: column)[channel]) }
        }
        task.output.origin[channel] = Float(sum / Double(task.input.height * task.input.width))
    }
}
