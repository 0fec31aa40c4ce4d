// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How the portable convolution cuts a layer into blocks: ranges of output pixels by ranges of output channels.
struct PortableBlocking {
    /// Output pixels, and the length of the sums: rows and depth of the matrix product.
    let pixelCount: Int
    let depth: Int
    private let channelCount: Int
    private let pixelBlocks: Int
    private let channelBlocks: Int

    init(_ shape: ConvolutionShape) {
        pixelCount = shape.outputHeight * shape.outputWidth
        channelCount = shape.outputChannels
        depth = shape.kernelSize * shape.kernelSize * shape.inputChannels
        let pixels = max(16, PortableBlocking.scratchFloats / (depth + channelCount))
        pixelBlocks = max(1, (pixelCount + pixels - 1) / pixels)
        channelBlocks = 1
    }

    var blockCount: Int { pixelBlocks * channelBlocks }

    /// Room for A and C of the largest block.
    var scratchCount: Int {
        let pixels = (pixelCount + pixelBlocks - 1) / pixelBlocks
        let channels = (channelCount + channelBlocks - 1) / channelBlocks
        return pixels * (depth + channels)
    }

    func pixels(of block: Int) -> Range<Int> {
        blockRange(block / channelBlocks, of: pixelBlocks, count: pixelCount)
    }

    func channels(of block: Int) -> Range<Int> {
        blockRange(block % channelBlocks, of: channelBlocks, count: channelCount)
    }

    /// A megabyte for A and C.
    private static let scratchFloats = 256 * 1024
}
