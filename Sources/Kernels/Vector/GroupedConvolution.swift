// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Convolution of groups of channels straight from the bordered input, as `DirectConvolution`: panels of output channels,
/// of which each reads only the input channels of its groups.
///
/// The sums add their terms in the same order however wide the vectors are, and each with a fused multiplication: so the
/// bits do not depend on the instruction set.
enum GroupedConvolution<Instructions: VectorInstructions> {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: Instructions.names.grouped,
                needs: {
                    KernelNeeds(
                        scratchCount: TileAddresses.scratchCount(
                            pixels: blocking($0).mostPixels, channels: $0.shape.outputChannels,
                            panelWidth: Instructions.panelWidth))
                },
                blockCount: { task, _ in blocking(task).blockCount },
                runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) }),
            supports: { GroupedTiles($0, lanes: Instructions.lanes) != nil },
            packedCount: DirectPacking<Instructions>.packedCount,
            packing: DirectPacking<Instructions>.kernel)
    }

    private static func blocking(_ task: ConvolutionTask) -> DirectBlocking {
        DirectBlocking(task, panelWidth: Instructions.panelWidth, panelGroup: 1)
    }

    /// Computes the pixels and panels of one block.
    private static func run(_ task: ConvolutionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let blocking = blocking(task)
        let addresses = TileAddresses(
            task, pixels: blocking.pixels(of: block), panelWidth: Instructions.panelWidth, scratch: scratch)
        let panels = blocking.panels(of: block)
        if GroupedTiles(task.shape, lanes: Instructions.lanes) == .dense {
            TiledProducts<Instructions>(task, addresses).compute(panels)
        } else {
            GroupedProducts<Instructions>(task, addresses).compute(panels)
        }
    }
}

/// How the panels of output channels of a grouped convolution are computed, by the width of its groups.
enum GroupedTiles: Equatable {
    /// A panel is part of one group: a small convolution without groups.
    case dense
    /// Each of its two vectors is part of one group.
    case wide
    /// A vector is several groups of 4 channels, of the input as of the output. Those of 8 are `wide` with vectors of 8
    /// floats, which wider ones, with twice the shuffles, do not beat.
    case narrow

    /// Nil for widths that do not fit vectors of `lanes` floats.
    init?(_ shape: ConvolutionShape, lanes: Int) {
        guard shape.groups > 1, shape.outputChannels % (2 * lanes) == 0 else { return nil }
        if shape.groupOutputs % (2 * lanes) == 0 {
            self = .dense
        } else if shape.groupOutputs % lanes == 0 {
            self = .wide
        } else if shape.groupInputs == 4 && shape.groupOutputs == 4 {
            self = .narrow
        } else {
            return nil
        }
    }
}
