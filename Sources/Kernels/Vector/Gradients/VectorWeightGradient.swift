// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// The gradient of weights in tiles: some output channels by the floats of a panel, which are consecutive floats of a row of
/// the window, summed up over the pixels of a few rows at a time.
///
/// Vectors run over the floats of a window in the order of memory. What has groups or few output channels is left to
/// plain Swift.
enum VectorWeightGradient<Instructions: VectorInstructions> {
    static var kernel: Kernel<WeightGradientTask> {
        Kernel(
            name: Instructions.names.weightGradient,
            needs: { task in
                let parts = WeightGradientParts(task)
                guard isSupported(task.shape) else { return parts.needs(scratchCount: 0) }
                return parts.needs(scratchCount: GradientScratch<Instructions>.floatCount(task.shape))
            },
            blockCount: { task, phase in
                let parts = WeightGradientParts(task)
                if phase == 1 { return parts.combiningBlockCount }
                guard isSupported(task.shape) else { return PlainWeightGradient.blockCount(task, in: parts) }
                return parts.rows.count * GradientPanels<Instructions>(task.shape).blockCount
            },
            runBlock: { task, phase, block, memory in
                let parts = WeightGradientParts(task)
                if phase == 1 { return combine(task, parts, block, memory) }
                guard isSupported(task.shape) else {
                    return PlainWeightGradient.run(task, parts, block, memory.shared)
                }
                run(task, parts, block, memory)
            })
    }

    private static func isSupported(_ shape: ConvolutionShape) -> Bool {
        shape.groups == 1 && shape.outputChannels >= TileHeights.minimum
    }

    /// The second phase.
    static func combine(
        _ task: WeightGradientTask, _ parts: WeightGradientParts, _ block: Int, _ memory: KernelMemory
    ) {
        parts.combine(block: block, memory) { sums, channels, area, out in
            Instructions.orderTaps(sums, channels: channels, area: area, out: out)
        } finish: { gradients, channel in
            let first = channel * task.shape.windowCount
            return Instructions.finishGradient(
                gradients, count: task.shape.windowCount, factor: Float(task.scale?[channel] ?? 1),
                accumulates: task.accumulates, out: task.gradient.map { $0 + first },
                weights: task.products == nil ? nil : task.weights + first)
        }
    }

    /// A block is some output channels and panels of a part of the rows.
    private static func run(
        _ task: WeightGradientTask, _ parts: WeightGradientParts, _ block: Int, _ memory: KernelMemory
    ) {
        let panels = GradientPanels<Instructions>(task.shape)
        let (part, range) = block.quotientAndRemainder(dividingBy: panels.blockCount)
        let columns = panels.panels(of: range)
        let tiles = GradientTiles<Instructions>(
            task: task, parts: parts, panels: panels, firstPanel: columns.lowerBound,
            outputs: panels.outputs(of: range),
            scratch: GradientScratch(task.shape, memory.own))
        let rows = parts.rows[part]
        let chunkCount = divideRoundingUp(rows.count, GradientScratch<Instructions>.rowsTogether(task.shape))
        for chunk in 0..<chunkCount {
            let chunkRows = blockRange(chunk, of: chunkCount, count: rows.count)
            let theirs = rows.lowerBound + chunkRows.lowerBound..<rows.lowerBound + chunkRows.upperBound
            tiles.copyGradients(theirs)
            for panel in columns { tiles.add(panel, theirs, isFirst: chunk == 0) }
        }
        let out = parts.floats(part, memory.shared)
        for panel in columns { tiles.write(panel, to: out) }
    }
}

/// The floats of a window, cut into panels: those of a segment, which is contiguous, are in panels of their own.
struct GradientPanels<Instructions: VectorInstructions> {
    private let shape: ConvolutionShape
    /// Parts of a row of the window that are contiguous: the row, or each of its taps where dilation sets them apart.
    private let segmentCount: Int
    private let segmentLength: Int
    private let panelsPerSegment: Int

    init(_ shape: ConvolutionShape) {
        self.shape = shape
        segmentCount = shape.dilation == 1 ? 1 : shape.kernelSize
        segmentLength = shape.dilation == 1 ? shape.kernelSize * shape.inputChannels : shape.inputChannels
        panelsPerSegment = divideRoundingUp(segmentLength, Instructions.panelWidth)
    }

    private var count: Int { shape.kernelSize * segmentCount * panelsPerSegment }
    private var panelRanges: Int { divideRoundingUp(count * Instructions.panelWidth, mostFloats) }
    private var outputRanges: Int { divideRoundingUp(shape.outputChannels, mostOutputs) }

    /// Neighbouring blocks have the same output channels.
    var blockCount: Int { panelRanges * outputRanges }
    func panels(of block: Int) -> Range<Int> { blockRange(block % panelRanges, of: panelRanges, count: count) }
    func outputs(of block: Int) -> Range<Int> {
        blockRange(block / panelRanges, of: outputRanges, count: shape.outputChannels)
    }

    /// Panels of the largest block.
    var mostPanels: Int { divideRoundingUp(count, panelRanges) }

    /// A panel's first float among those of a window, how many it has, and where they are: so many rows down and so many floats
    /// after the first pixel of the window.
    func place(_ panel: Int) -> (first: Int, count: Int, row: Int, offset: Int) {
        let (segment, index) = panel.quotientAndRemainder(dividingBy: panelsPerSegment)
        let (row, part) = segment.quotientAndRemainder(dividingBy: segmentCount)
        let first = index * Instructions.panelWidth
        return (
            segment * segmentLength + first, min(Instructions.panelWidth, segmentLength - first), row,
            part * shape.dilation * shape.inputChannels + first
        )
    }
}

/// The scratch memory of a block: the sums of its tiles, and what they are computed from for a few rows, together:
/// distances of pixels are powers of two, of which a cache holds few.
struct GradientScratch<Instructions: VectorInstructions> {
    let sums: UnsafeMutablePointer<Float>
    /// The gradients of all tiles: for each tile, its output channels of all pixels.
    let gradients: UnsafeMutablePointer<Float>
    /// The pixels of a panel.
    let pixels: UnsafeMutablePointer<Float>

    /// Pixels that are summed up at a time: those of a tile and a panel stay in the first-level cache, 20 KB.
    private static var pixelsTogether: Int { 128 }

    /// Rows that have about so many.
    static func rowsTogether(_ shape: ConvolutionShape) -> Int { max(1, pixelsTogether / shape.outputWidth) }

    static func pixelCount(_ shape: ConvolutionShape) -> Int { rowsTogether(shape) * shape.outputWidth }

    private static func heights(_ shape: ConvolutionShape) -> TileHeights {
        TileHeights(rows: min(mostOutputs, shape.outputChannels), most: Instructions.mostProductRows)
    }

    private static func sumCount(_ shape: ConvolutionShape) -> Int {
        GradientPanels<Instructions>(shape).mostPanels * (heights(shape).count + 1) * Instructions.mostProductRows
            * Instructions.panelWidth
    }

    private static func gradientCount(_ shape: ConvolutionShape) -> Int {
        pixelCount(shape) * (heights(shape).count + 1) * Instructions.mostProductRows
    }

    static func floatCount(_ shape: ConvolutionShape) -> Int {
        sumCount(shape) + gradientCount(shape) + pixelCount(shape) * Instructions.panelWidth
    }

    init(_ shape: ConvolutionShape, _ memory: UnsafeMutablePointer<Float>) {
        sums = memory
        pixels = sums + Self.sumCount(shape)
        gradients = pixels + Self.pixelCount(shape) * Instructions.panelWidth
    }
}

/// The tiles of a block.
struct GradientTiles<Instructions: VectorInstructions> {
    let task: WeightGradientTask
    let parts: WeightGradientParts
    let panels: GradientPanels<Instructions>
    let firstPanel: Int
    let outputs: Range<Int>
    let scratch: GradientScratch<Instructions>

    private var heights: TileHeights { TileHeights(rows: outputs.count, most: Instructions.mostProductRows) }

    /// The sums of a tile.
    private func sums(_ tile: Int, _ panel: Int) -> UnsafeMutablePointer<Float> {
        scratch.sums + ((panel - firstPanel) * heights.count + tile) * Instructions.mostProductRows
            * Instructions.panelWidth
    }

    private func gradients(_ tile: Int) -> UnsafeMutablePointer<Float> {
        scratch.gradients + tile * GradientScratch<Instructions>.pixelCount(task.shape) * Instructions.mostProductRows
    }

    /// The first output channel of a tile: a tile that is lower than any kernel has some of the one before.
    private func firstOutput(_ tile: Int) -> Int {
        let most = max(0, task.shape.outputChannels - heights.height(of: tile))
        return min(outputs.lowerBound + heights.start(of: tile), most)
    }

    /// Copies the gradients of some rows for all tiles.
    func copyGradients(_ rows: Range<Int>) {
        let width = task.shape.outputWidth
        for tile in 0..<heights.count {
            let height = heights.height(of: tile)
            var out = gradients(tile)
            for row in rows {
                let place = parts.rows.place(row)
                let pixels = task.outputGradient.pixel(image: place.image, row: place.row, column: 0)
                Instructions.copyNarrow(
                    pixels + firstOutput(tile), step: task.shape.outputChannels, count: width, width: height, out: out)
                out += width * height
            }
        }
    }

    /// Adds the pixels of some rows to the sums of a panel.
    func add(_ panel: Int, _ rows: Range<Int>, isFirst: Bool) {
        copyPanel(panel, rows)
        for tile in 0..<heights.count {
            Instructions.gradientTile(
                height: heights.height(of: tile), pixels: rows.count * task.shape.outputWidth,
                gradients: gradients(tile), step: heights.height(of: tile), panel: scratch.pixels,
                out: sums(tile, panel), isFirst: isFirst)
        }
    }

    /// Copies the pixels of a panel, with zeros where it is not full.
    private func copyPanel(_ panel: Int, _ rows: Range<Int>) {
        let (shape, width, place) = (task.shape, Instructions.panelWidth, panels.place(panel))
        let step = shape.stride * shape.inputChannels
        var out = scratch.pixels
        for row in rows {
            let from = parts.rows.place(row)
            let pixels = task.input.pixel(
                image: from.image, row: from.row * shape.stride - shape.padding + place.row * shape.dilation,
                column: -shape.padding)
            let input = UnsafePointer(pixels + place.offset)
            if place.count == width {
                Instructions.copyPanel(input, step: step, count: shape.outputWidth, out: out)
            } else {
                copy(input, step: step, floats: place.count, to: out)
            }
            out += shape.outputWidth * width
        }
    }

    private func copy(_ input: UnsafePointer<Float>, step: Int, floats: Int, to out: UnsafeMutablePointer<Float>) {
        let width = Instructions.panelWidth
        var (input, out) = (input, out)
        for _ in 0..<task.shape.outputWidth {
            for float in 0..<floats { out[float] = input[float] }
            for float in floats..<width { out[float] = 0 }
            input += step
            out += width
        }
    }

    /// Writes the sums of a panel to their places in those of a part.
    func write(_ panel: Int, to out: UnsafeMutablePointer<Float>) {
        let place = panels.place(panel)
        for tile in 0..<heights.count {
            let sums = sums(tile, panel)
            for row in 0..<heights.height(of: tile) {
                let output = firstOutput(tile) + row
                // Rows outside of the block, which a low tile may have, belong to another one.
                guard outputs.contains(output) else { continue }
                (out + (output * task.shape.windowCount + place.first)).update(
                    from: sums + row * Instructions.panelWidth, count: place.count)
            }
        }
    }
}
