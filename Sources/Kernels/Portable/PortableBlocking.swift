// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The blocks of the portable convolution: ranges of output pixels by ranges of output channels, from the
/// shape alone.
///
/// Each block is one matrix product of its own, for which OpenBLAS rearranges both factors: the weights of its channels
/// once more for every range of pixels, the windows of its pixels once more for every range of channels. So it uses
/// just enough blocks to fit scratch memory and keep several threads busy, and among the ways to get that many chooses
/// the one that moves the least.
struct PortableBlocking {
    /// Length of the sums: the depth of the matrix product.
    let depth: Int
    private let pixelCount: Int
    private let channelCount: Int
    private let pixelBlocks: Int
    private let channelBlocks: Int

    /// A and C of a block stay in a second-level cache of a megabyte.
    private static let scratchFloats = 256 * 1024
    /// Least number of blocks of a large layer: shares for up to 8 threads.
    private static let wantedBlocks = 8
    /// Multiplications worth a block of its own, about 20 microseconds of one core.
    private static let blockWork = 1_000_000.0
    /// Fewest output channels of a block, so that OpenBLAS's widest tiles are not half empty.
    private static let narrowest = 32

    init(_ shape: ConvolutionShape) {
        depth = shape.kernelSize * shape.kernelSize * shape.inputChannels
        pixelCount = shape.outputHeight * shape.outputWidth
        channelCount = shape.outputChannels

        let work = Double(pixelCount) * Double(channelCount) * Double(depth)
        let isLarge = work >= Double(PortableBlocking.wantedBlocks) * PortableBlocking.blockWork
        let wanted = isLarge ? PortableBlocking.wantedBlocks : 1
        // The unit is a float that OpenBLAS rearranges; gathering it first costs more than that.
        let windowCost = shape.kernelSize == 1 && shape.stride == 1 ? 1.0 : 2.5
        var best = (pixelBlocks: 1, channelBlocks: 1, cost: Double.infinity)
        var channelBlocks = 1
        while channelBlocks == 1
            || (channelBlocks <= wanted && channelCount / channelBlocks >= PortableBlocking.narrowest)
        {
            let channels = divideRoundingUp(channelCount, channelBlocks)
            let pixels = max(16, PortableBlocking.scratchFloats / (depth + channels))
            var pixelBlocks = divideRoundingUp(pixelCount, pixels)
            if isLarge {
                // A multiple of 4 in all.
                pixelBlocks = max(pixelBlocks, divideRoundingUp(wanted, channelBlocks))
                let step = max(1, 4 / channelBlocks)
                pixelBlocks = divideRoundingUp(pixelBlocks, step) * step
            }
            pixelBlocks = min(pixelBlocks, pixelCount)
            let moved =
                Double(channelCount) * Double(pixelBlocks)
                + windowCost * Double(pixelCount) * Double(channelBlocks)
            if moved < best.cost { best = (pixelBlocks, channelBlocks, moved) }
            channelBlocks *= 2
        }
        pixelBlocks = max(1, best.pixelBlocks)
        self.channelBlocks = best.channelBlocks
    }

    var blockCount: Int { pixelBlocks * channelBlocks }

    /// Room for A and C of the largest block.
    var scratchCount: Int {
        divideRoundingUp(pixelCount, pixelBlocks) * (depth + divideRoundingUp(channelCount, channelBlocks))
    }

    func pixels(of block: Int) -> Range<Int> {
        blockRange(block / channelBlocks, of: pixelBlocks, count: pixelCount)
    }

    func channels(of block: Int) -> Range<Int> {
        blockRange(block % channelBlocks, of: channelBlocks, count: channelCount)
    }
}
