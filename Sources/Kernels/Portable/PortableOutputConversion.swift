// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Output conversion in blocks of rows.
enum PortableOutputConversion {
    static var kernel: BlockKernel<OutputConversionTask> {
        BlockKernel(name: "outputConversion_portable", blockCount: blockCount, run: run)
    }

    static func blockCount(task: OutputConversionTask) -> Int {
        rowBlockCount(height: task.input.height, rowFloats: task.input.rowFloats)
    }

    /// A block is a range of rows.
    static func run(task: OutputConversionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let (width, channels) = (task.input.width, task.input.channels)
        for row in blockRange(block, of: blockCount(task: task), count: task.input.height) {
            let source = UnsafePointer(task.input.pixel(row: row, column: 0))
            let destination = task.destination + row * task.rowStride
            if task.channelStride == 1, task.columnStride == channels {
                destination.update(from: source, count: width * channels)
            } else {
                copyTransposed(
                    from: source, rows: width, columns: channels, sourceRowStride: channels, sourceColumnStride: 1,
                    to: destination, columnStride: task.channelStride, rowStride: task.columnStride)
            }
        }
    }
}
