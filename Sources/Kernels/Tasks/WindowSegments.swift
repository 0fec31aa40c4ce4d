// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The parts of a window that are contiguous in memory: its rows, or each of their taps where other pixels (dilation) or
/// other groups' channels are in between.
struct WindowSegments: BitwiseCopyable {
    /// Rows of the window.
    let rowCount: Int
    /// Floats from one row to the next.
    let rowStride: Int
    /// Segments of a row.
    let count: Int
    /// Floats from one segment of a row to the next.
    let stride: Int
    /// Floats of a segment.
    let length: Int

    init(_ task: ConvolutionTask) {
        let shape = task.shape
        rowCount = shape.kernelSize
        rowStride = shape.dilation * task.input.rowStride
        let isWhole = shape.dilation == 1 && shape.groups == 1
        count = isWhole ? 1 : shape.kernelSize
        stride = shape.dilation * shape.inputChannels
        length = isWhole ? shape.kernelSize * shape.inputChannels : shape.groupInputs
    }

    /// Floats from the address of a window to a segment.
    func offset(row: Int, segment: Int) -> Int { row * rowStride + segment * stride }
}
