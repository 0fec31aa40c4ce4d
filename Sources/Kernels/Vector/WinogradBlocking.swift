// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// How a Winograd convolution is cut into phases and blocks.
///
/// Either each block transforms a group of tiles, whose transformed inputs stay in the second-level cache, and multiplies
/// them by all weights. Or, where a group that fits would be too small for the weights that it makes a thread read, the
/// tiles are handled in chunks of two phases each: all threads transform, then they share the panels and groups of tiles.
struct WinogradBlocking {
    let isShared: Bool
    let geometry: WinogradGeometry
    let panelWidth: Int
    let panelCount: Int
    /// Floats from one point of transformed inputs to the next, and of products.
    let pointStride: Int
    let productStride: Int

    private let channels: Int
    private let height: Int
    private let width: Int
    private let tileColumns: Int
    private let tileRows: Int
    private let tileCount: Int
    /// The points of the last tiles of a column, and of a row.
    private let lowPoints: UInt32
    private let narrowPoints: UInt32
    /// Groups of tiles; in chunks of their own where inputs are shared.
    let groupCount: Int
    private let chunkCount: Int
    private let panelBlocks: Int

    init(_ task: ConvolutionTask, m: Int, panelWidth: Int) {
        self.panelWidth = panelWidth
        geometry = WinogradGeometry(m: m, stride: task.shape.stride)
        channels = task.shape.inputChannels
        panelCount = task.shape.outputChannels / panelWidth
        height = task.output.height
        width = task.output.width
        tileColumns = geometry.tileCount(width)
        tileRows = geometry.tileCount(height)
        lowPoints = geometry.lastPoints(height)
        narrowPoints = geometry.lastPoints(width)
        tileCount = task.imageCount * tileRows * tileColumns

        let points = geometry.points
        let fitting = Self.cachedFloats / (points * channels)
        isShared = fitting < Self.fewestTiles
        if isShared {
            let chunkTiles = max(Self.fewestTiles, Self.sharedFloats / (points * channels))
            chunkCount = divideRoundingUp(tileCount, chunkTiles)
            let largest = divideRoundingUp(tileCount, chunkCount)
            let products = points * panelWidth
            groupCount = divideRoundingUp(largest, max(Self.fewestTiles, Self.productFloats / products))
            panelBlocks = min(panelCount, divideRoundingUp(Self.wantedBlocks, groupCount))
            pointStride = Self.padded(largest * channels, to: channels)
            productStride = Self.padded(divideRoundingUp(largest, groupCount) * panelWidth, to: panelWidth)
        } else {
            chunkCount = 1
            let groups = divideRoundingUp(tileCount, fitting)
            groupCount = min(tileCount, groups <= 2 ? groups : divideRoundingUp(groups, 4) * 4)
            panelBlocks = 1
            let largest = divideRoundingUp(tileCount, groupCount)
            pointStride = Self.padded(largest * channels, to: channels)
            productStride = Self.padded(largest * panelWidth, to: panelWidth)
        }
    }

    /// Room for the rows that the lowest tile of a product computes, and a cache line more, so that the points do not
    /// fall on the same few sets of the cache.
    private static func padded(_ count: Int, to row: Int) -> Int {
        max(count, TileHeights.minimum * row) + row % 16 + 16
    }

    // MARK: - Memory

    /// Floats of the transformed inputs of a group that has its own, of the products of a group and panel, and of what the
    /// transforms need. A product may compute a few rows too many.
    var inputCount: Int { geometry.points * pointStride + TileHeights.maximum * channels }
    var productCount: Int { geometry.points * productStride + TileHeights.maximum * panelWidth }
    private var transformCount: Int { geometry.points * (panelWidth + channels) }

    var sharedCount: Int { isShared ? inputCount : 0 }
    var scratchCount: Int { productCount + transformCount + (isShared ? 0 : inputCount) }

    // MARK: - Phases and blocks

    var phaseCount: Int { isShared ? 2 * chunkCount : 1 }

    func blockCount(phase: Int) -> Int {
        if !isShared { return groupCount }
        return phase % 2 == 0 ? transformBlocks(chunk(phase / 2)) : groupCount * panelBlocks
    }

    /// The tiles of a block that transforms and multiplies.
    func tiles(of block: Int) -> Range<Int> { blockRange(block, of: groupCount, count: tileCount) }

    /// The tiles of chunk `index`.
    func chunk(_ index: Int) -> Range<Int> { blockRange(index, of: chunkCount, count: tileCount) }

    private func transformBlocks(_ chunk: Range<Int>) -> Int { min(chunk.count, Self.wantedBlocks) }

    /// The tiles of a block that transforms.
    func transformedTiles(of block: Int, _ chunk: Range<Int>) -> Range<Int> {
        Self.shifted(blockRange(block, of: transformBlocks(chunk), count: chunk.count), by: chunk.lowerBound)
    }

    /// The group and the panels of a block that multiplies.
    func group(of block: Int) -> Int { block % groupCount }

    func panels(of block: Int) -> Range<Int> { blockRange(block / groupCount, of: panelBlocks, count: panelCount) }

    /// The tiles of group `index` of a chunk.
    func tiles(ofGroup index: Int, _ chunk: Range<Int>) -> Range<Int> {
        Self.shifted(blockRange(index, of: groupCount, count: chunk.count), by: chunk.lowerBound)
    }

    private static func shifted(_ range: Range<Int>, by offset: Int) -> Range<Int> {
        range.lowerBound + offset..<range.upperBound + offset
    }

    /// Tile `index` of those of all images.
    func tile(_ index: Int) -> WinogradTile {
        let (line, column) = index.quotientAndRemainder(dividingBy: tileColumns)
        let (image, row) = line.quotientAndRemainder(dividingBy: tileRows)
        let (isLast, isLastOfRow) = (row == tileRows - 1, column == tileColumns - 1)
        return WinogradTile(
            image: image, row: row, column: column, rows: isLast ? geometry.lastOutputs(height) : geometry.m,
            columns: isLastOfRow ? geometry.lastOutputs(width) : geometry.m,
            isLow: isLast && lowPoints != geometry.linePoints,
            isNarrow: isLastOfRow && narrowPoints != geometry.linePoints)
    }

    /// Whether low tiles have a point, and narrow ones.
    func owners(of point: Int) -> (low: Bool, narrow: Bool) {
        let (row, column) = point.quotientAndRemainder(dividingBy: geometry.side)
        return (lowPoints >> UInt32(row) & 1 != 0, narrowPoints >> UInt32(column) & 1 != 0)
    }

    // MARK: - Sizes

    /// Transformed inputs of a group that stay in the second-level cache: 240 KB.
    private static let cachedFloats = 60 * 1024
    /// Fewer tiles than that make a thread read weights faster than the third-level cache gives them.
    private static let fewestTiles = 10
    /// Transformed inputs that all threads share, in the part of the third-level cache that one can count on: 6 MB.
    private static let sharedFloats = 3 * 512 * 1024
    /// Products of a panel that stay in the second-level cache: 224 KB.
    private static let productFloats = 56 * 1024
    private static let wantedBlocks = 16
}
