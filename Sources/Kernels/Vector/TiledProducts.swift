// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The pixels of a block of a convolution, computed in tiles of up to six pixels by a panel of output channels, all of
/// which are in the same group.
struct TiledProducts<Instructions: VectorInstructions> {
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
        let shape = task.shape
        let width = Instructions.panelWidth
        let panelFloats = shape.windowCount * width
        let channel = panel * width
        let weights = task.packedWeights + panel * panelFloats
        let isWhole = channel + width <= shape.outputChannels
        let segments = WindowSegments(task)
        let whole = shims_convolution_panel(
            input_offset: channel / shape.groupOutputs * shape.groupInputs, row_count: segments.rowCount,
            row_stride: segments.rowStride, segment_count: segments.count, segment_stride: segments.stride,
            segment_length: segments.length, weights: weights,
            bias: isWhole ? task.bias + channel : addresses.paddedBias(task, channel: channel),
            is_relu: isWhole && task.relu, channel: isWhole ? channel : 0)
        let heights = addresses.heights
        let prefetch = PrefetchSchedule(
            weights + panelFloats, floats: panelFloats, tiles: heights.count,
            columnFloats: Instructions.floatsPerPrefetch)
        for tile in 0..<heights.count {
            let first = heights.start(of: tile)
            Instructions.convolutionTile(
                height: heights.height(of: tile), whole, inputs: addresses.inputs + first,
                residuals: isWhole && task.residual != nil ? addresses.residuals + first : nil,
                outputs: UnsafePointer(isWhole ? addresses.outputs + first : addresses.edge),
                prefetch: prefetch.start(tile: tile), prefetchStep: prefetch.step)
            if !isWhole { addresses.finishEdge(task, tile: tile, channel: channel) }
        }
    }
}
