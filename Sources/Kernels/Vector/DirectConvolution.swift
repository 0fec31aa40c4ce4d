// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Convolution of any kernel size, stride and dilation straight from the bordered input.
///
/// A row of a window is contiguous in memory (channels last, with a border), with dilation each of its taps. So nothing is
/// gathered: the addresses of the windows are enough. `TiledProducts` computes with all values, `SparseProducts` with
/// those that are not zero. Both give the same bits; the input of each block decides which is expected to be faster.
enum DirectConvolution<Instructions: VectorInstructions> {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: Instructions.names.direct,
                needs: { KernelNeeds(scratchCount: scratchCount($0.shape, pixels: blocking($0).mostPixels)) },
                blockCount: { task, _ in blocking(task).blockCount },
                runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) }),
            supports: { $0.groups == 1 },
            packedCount: DirectPacking<Instructions>.packedCount,
            packing: DirectPacking<Instructions>.kernel)
    }

    private static func blocking(_ task: ConvolutionTask) -> DirectBlocking {
        let group = SparseProducts<Instructions>.supports(task.shape) ? SparseProducts<Instructions>.mostPanels : 1
        return DirectBlocking(task, panelWidth: Instructions.panelWidth, panelGroup: group)
    }

    private static func scratchCount(_ shape: ConvolutionShape, pixels: Int) -> Int {
        SparseProducts<Instructions>.scratchCount(shape, pixels: pixels)
            + TileAddresses.scratchCount(
                pixels: pixels, channels: shape.outputChannels, panelWidth: Instructions.panelWidth)
    }

    /// Computes the pixels and panels of one block.
    private static func run(_ task: ConvolutionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let blocking = blocking(task)
        let pixels = blocking.pixels(of: block)
        var panels = blocking.panels(of: block)
        let addresses = TileAddresses(
            task, pixels: pixels, panelWidth: Instructions.panelWidth,
            scratch: scratch + SparseProducts<Instructions>.scratchCount(task.shape, pixels: pixels.count))
        if let sparse = SparseProducts<Instructions>(task, addresses, scratch: scratch) {
            panels = sparse.compute(panels)
        }
        TiledProducts<Instructions>(task, addresses).compute(panels)
    }
}
