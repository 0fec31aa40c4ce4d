// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Input conversion element by element.
enum ReferenceInputConversion {
    static var kernel: Kernel<InputConversionTask> {
        Kernel(
            name: "inputConversion_reference", blockCount: { task, _ in task.output.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row.
    private static func run(_ task: InputConversionTask, row: Int) {
        let channels = task.output.channels
        for column in 0..<task.output.width {
            let out = task.output.pixel(row: row, column: column)
            let pixel = row * task.rowStride + column * task.columnStride
            for channel in 0..<channels {
                let from = pixel + (task.reversesChannels ? channels - 1 - channel : channel) * task.channelStride
                let value =
                    switch task.element {
                    case .float32: task.source.assumingMemoryBound(to: Float.self)[from]
                    case .uint8: Float(task.source.assumingMemoryBound(to: UInt8.self)[from])
                    }
                out[channel] = (value - (task.mean?[channel] ?? 0)) / (task.standardDeviation?[channel] ?? 1)
            }
        }
    }
}

/// Output conversion element by element.
enum ReferenceOutputConversion {
    static var kernel: Kernel<OutputConversionTask> {
        Kernel(
            name: "outputConversion_reference", blockCount: { task, _ in task.input.height },
            runBlock: { task, _, block, _ in run(task, row: block) })
    }

    /// A block is a row.
    private static func run(_ task: OutputConversionTask, row: Int) {
        for column in 0..<task.input.width {
            let pixel = task.input.pixel(row: row, column: column)
            for channel in 0..<task.input.channels {
                let offset = channel * task.channelStride + row * task.rowStride + column * task.columnStride
                task.destination[offset] = pixel[channel]
            }
        }
    }
}
