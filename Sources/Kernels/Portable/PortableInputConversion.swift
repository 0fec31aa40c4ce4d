// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Input conversion in blocks of rows.
enum PortableInputConversion {
    static var kernel: Kernel<InputConversionTask> {
        Kernel(
            name: "inputConversion_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ task: InputConversionTask) -> Int {
        rowBlockCount(height: task.output.height, rowFloats: task.output.rowFloats)
    }

    static func rows(of block: Int, _ task: InputConversionTask) -> Range<Int> {
        blockRange(block, of: blockCount(task), count: task.output.height)
    }

    static func run(_ task: InputConversionTask, block: Int) {
        for row in rows(of: block, task) {
            switch task.element {
            case .float32:
                copyFloats(task, row: row)
                normalizeFloats(task, row: row)
            case .uint8: convertBytes(task, row: row)
            }
        }
    }

    /// A row of unchanged floats, in the order of the network's channels.
    static func copyFloats(_ task: InputConversionTask, row: Int) {
        let (offset, channelStride) = task.channelOrder
        let source = task.source.assumingMemoryBound(to: Float.self) + (row * task.rowStride + offset)
        let out = task.output.pixel(row: row, column: 0)
        let (width, channels) = (task.output.width, task.output.channels)
        if channelStride == 1, task.columnStride == channels {
            out.update(from: source, count: width * channels)
        } else {
            copyTransposed(
                from: StridedMatrix(start: source, rowStride: channelStride, columnStride: task.columnStride),
                to: StridedMatrix(start: out, rowStride: 1, columnStride: channels), rows: channels, columns: width)
        }
    }

    /// Normalises a row that `copyFloats` has just written, in place: it is in the first-level cache.
    private static func normalizeFloats(_ task: InputConversionTask, row: Int) {
        guard task.isNormalized else { return }
        var out = task.output.pixel(row: row, column: 0)
        let channels = task.output.channels
        for _ in 0..<task.output.width {
            for channel in 0..<channels {
                var value = out[channel]
                if let mean = task.mean { value -= mean[channel] }
                if let standardDeviation = task.standardDeviation { value /= standardDeviation[channel] }
                out[channel] = value
            }
            out += channels
        }
    }

    private static func convertBytes(_ task: InputConversionTask, row: Int) {
        let (offset, channelStride) = task.channelOrder
        var source = task.source.assumingMemoryBound(to: UInt8.self) + (row * task.rowStride + offset)
        var out = task.output.pixel(row: row, column: 0)
        let channels = task.output.channels
        for _ in 0..<task.output.width {
            for channel in 0..<channels {
                var value = Float(source[channel * channelStride])
                if let mean = task.mean { value -= mean[channel] }
                if let standardDeviation = task.standardDeviation { value /= standardDeviation[channel] }
                out[channel] = value
            }
            source += task.columnStride
            out += channels
        }
    }
}
