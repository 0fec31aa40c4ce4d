// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How a task is cut into blocks: ranges of output pixels by ranges of panels of output channels.
struct DirectBlocking {
    private let panelCount: Int
    private let panelGroup: Int
    private let pixelCount: Int
    private let pixelBlocks: Int
    private let panelBlocks: Int

    /// - Parameter panelGroup: Panels that are not separated, unless the pixels are so few that weights are read once.
    init(_ task: ConvolutionTask, panelWidth: Int, panelGroup: Int) {
        let shape = task.shape
        let isReading = task.pixelCount < DirectBlocking.pixelsPerReading
        self.panelGroup = isReading ? min(panelGroup, 2) : panelGroup
        panelCount = divideRoundingUp(shape.outputChannels, panelWidth)
        pixelCount = task.pixelCount
        let floatsPerPixel = shape.stride * shape.stride * shape.inputChannels
        let wanted = max(DirectBlocking.fewestPixels, DirectBlocking.cachedFloats / floatsPerPixel)
        let parts = min(DirectBlocking.wantedParts, pixelCount / DirectBlocking.fewestPixels)
        let blocks = DirectBlocking.even(max(divideRoundingUp(pixelCount, wanted), parts))
        // A block that is too small to be worth its overhead is not cut further.
        let products = max(pixelCount, DirectBlocking.pixelsPerReading)
        let work = Double(products) * Double(shape.windowCount) * Double(shape.outputChannels)
        let worthwhile = max(1, min(DirectBlocking.wantedBlocks, Int(work / DirectBlocking.leastWork)))
        pixelBlocks = min(blocks, pixelCount)
        let groups = divideRoundingUp(panelCount, self.panelGroup)
        panelBlocks = min(groups, divideRoundingUp(worthwhile, pixelBlocks))
    }

    var blockCount: Int { pixelBlocks * panelBlocks }

    /// Neighbouring blocks have the same pixels, so that a thread's share of the blocks is a part of the image.
    func pixels(of block: Int) -> Range<Int> { blockRange(block / panelBlocks, of: pixelBlocks, count: pixelCount) }
    func panels(of block: Int) -> Range<Int> {
        let groups = blockRange(
            block % panelBlocks, of: panelBlocks, count: divideRoundingUp(panelCount, panelGroup))
        return groups.lowerBound * panelGroup..<min(panelCount, groups.upperBound * panelGroup)
    }

    /// Pixels of the largest block.
    var mostPixels: Int { divideRoundingUp(pixelCount, pixelBlocks) }

    /// A few blocks more, so that 2 and 4 threads get the same number of them.
    private static func even(_ count: Int) -> Int {
        count <= 1 ? 1 : count <= 2 ? 2 : divideRoundingUp(count, 4) * 4
    }

    /// Input floats of a block, which stay in the second-level cache beside two panels of weights: 224 KB.
    private static let cachedFloats = 56 * 1024
    /// Weights are read once for each block of pixels: an image of 7 x 7 is not cut.
    private static let fewestPixels = 49
    /// Parts of an image for so many threads, if they are large enough.
    private static let wantedParts = 4
    /// Enough for a few threads to finish at about the same time.
    private static let wantedBlocks = 16
    /// Pixels that take as long to multiply by a weight as that takes to come from memory. With fewer, as in the gate of
    /// a squeeze-and-excitation block, the weights take the time.
    private static let pixelsPerReading = 16
    /// Multiplications of a block: about 20 microseconds.
    private static let leastWork = 1_000_000.0
}
