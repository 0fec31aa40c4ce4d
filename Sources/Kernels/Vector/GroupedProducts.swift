// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The pixels of a block of a convolution whose groups are narrower than a panel, computed in tiles as by `TiledProducts`.
struct GroupedProducts<Instructions: VectorInstructions> {
    private let task: ConvolutionTask
    private let addresses: TileAddresses

    init(_ task: ConvolutionTask, _ addresses: TileAddresses) {
        self.task = task
        self.addresses = addresses
    }

    func compute(_ panels: Range<Int>) {
        for panel in panels { compute(panel) }
    }

    private func compute(_ panel: Int) {
        let (shape, lanes) = (task.shape, Instructions.lanes)
        let channel = panel * Instructions.panelWidth
        let segments = WindowSegments(task)
        let arguments = shims_convolution_panel(
            input_offset: firstInput(of: channel), row_count: segments.rowCount, row_stride: segments.rowStride,
            segment_count: segments.count, segment_stride: segments.stride, segment_length: segments.length,
            weights: task.packedWeights + channel * shape.windowCount, bias: task.bias + channel, is_relu: task.relu,
            channel: channel)
        let heights = addresses.heights
        for tile in 0..<heights.count {
            let first = heights.start(of: tile)
            Instructions.groupedTile(
                height: heights.height(of: tile), isNarrow: shape.groupOutputs < lanes, arguments,
                secondGroup: firstInput(of: channel + lanes) - firstInput(of: channel),
                inputs: addresses.inputs + first, residuals: task.residual != nil ? addresses.residuals + first : nil,
                outputs: UnsafePointer(addresses.outputs + first))
        }
    }

    /// The first input channel of an output channel's group.
    private func firstInput(of channel: Int) -> Int { channel / task.shape.groupOutputs * task.shape.groupInputs }
}
