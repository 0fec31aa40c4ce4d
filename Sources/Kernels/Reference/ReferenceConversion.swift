// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Input conversion element by element.
enum ReferenceInputConversion {
    static var kernel: BlockKernel<InputConversionTask> {
        BlockKernel(
            name: "inputConversion_reference", blockCount: { max($0.output.height, 1) }, scratchCount: { _ in 0 },
            run: run)
    }

    /// A block is a row.
    static func run(task: InputConversionTask, block row: Int, scratch: UnsafeMutablePointer<Float>) {
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
    static var kernel: BlockKernel<OutputConversionTask> {
        BlockKernel(
            name: "outputConversion_reference", blockCount: { max($0.input.height, 1) }, scratchCount: { _ in 0 },
            run: run)
    }

    /// A block is a row.
    static func run(task: OutputConversionTask, block row: Int, scratch: UnsafeMutablePointer<Float>) {
        for column in 0..<task.input.width {
            let pixel = task.input.pixel(row: row, column: column)
            for channel in 0..<task.input.channels {
                let offset = channel * task.channelStride + row * task.rowStride + column * task.columnStride
                task.destination[offset] = pixel[channel]
            }
        }
    }
}
