// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The addresses of the windows, residuals and outputs of a block's pixels. The last tile, if it is lower than any
/// kernel, is filled up with pixels that are computed and thrown away.
struct TileAddresses {
    let pixelCount: Int
    let heights: TileHeights
    let inputs: UnsafeMutablePointer<UnsafePointer<Float>>
    let residuals: UnsafeMutablePointer<UnsafePointer<Float>>
    let outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    /// Six pixels of a panel: the output of a tile whose panel is not whole.
    let edge: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    private let bias: UnsafeMutablePointer<Float>
    private let panelWidth: Int

    /// Floats of scratch memory: three addresses a pixel and six for the edge, then the edge itself, a padded bias, and a
    /// pixel that nobody reads, to which a tile writes whole panels.
    static func scratchCount(pixels: Int, channels: Int, panelWidth: Int) -> Int {
        let slots = slotCount(pixels)
        let floatsPerAddress = MemoryLayout<Int>.stride / MemoryLayout<Float>.stride
        return (3 * slots + TileHeights.maximum) * floatsPerAddress
            + (TileHeights.maximum + 2) * panelWidth + channels
    }

    /// Room for the pixels and those that fill up the last tile.
    private static func slotCount(_ pixels: Int) -> Int { pixels + TileHeights.minimum - 1 }

    init(_ task: ConvolutionTask, pixels: Range<Int>, panelWidth: Int, scratch: UnsafeMutablePointer<Float>) {
        self.panelWidth = panelWidth
        pixelCount = pixels.count
        heights = TileHeights(rows: pixelCount)
        let slots = Self.slotCount(pixelCount)
        inputs = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UnsafePointer<Float>.self)
        residuals = inputs + slots
        outputs = UnsafeMutableRawPointer(inputs + 2 * slots)
            .assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
        edge = outputs + slots
        let floats = UnsafeMutableRawPointer(edge + TileHeights.maximum).assumingMemoryBound(to: Float.self)
        for pixel in 0..<TileHeights.maximum { edge[pixel] = floats + pixel * panelWidth }
        bias = floats + TileHeights.maximum * panelWidth
        let unread = bias + panelWidth

        var place = PixelPlace(task, index: pixels.lowerBound)
        for slot in 0..<pixelCount {
            inputs[slot] = place.window
            residuals[slot] = place.residual
            outputs[slot] = place.output
            place.advance(in: task)
        }
        for slot in pixelCount..<slots {
            inputs[slot] = inputs[slot - 1]
            residuals[slot] = UnsafePointer(unread)
            outputs[slot] = unread
        }
    }

    /// The bias of a panel that is not whole, filled up with zeros.
    func paddedBias(_ task: ConvolutionTask, channel: Int) -> UnsafePointer<Float> {
        for lane in 0..<panelWidth {
            bias[lane] = channel + lane < task.shape.outputChannels ? task.bias[channel + lane] : 0
        }
        return UnsafePointer(bias)
    }

    /// Residual and ReLU of the channels that a panel has, on the way from the edge to the output.
    func finishEdge(_ task: ConvolutionTask, tile: Int, channel: Int) {
        let first = heights.start(of: tile)
        for pixel in 0..<heights.rows(of: tile) {
            for lane in 0..<task.shape.outputChannels - channel {
                var value = edge[pixel][lane]
                if task.residual != nil { value += residuals[first + pixel][channel + lane] }
                outputs[first + pixel][channel + lane] = task.relu ? relu(value) : value
            }
        }
    }
}

/// An output pixel among those of all images in sequence: its address, and those of its inputs.
private struct PixelPlace {
    /// The start of its window.
    private(set) var window: UnsafePointer<Float>
    private(set) var output: UnsafeMutablePointer<Float>
    /// The address of the output if the task has no residual.
    private(set) var residual: UnsafePointer<Float>
    private var image: Int
    private var row: Int
    private var column: Int

    init(_ task: ConvolutionTask, index: Int) {
        let (line, column) = index.quotientAndRemainder(dividingBy: task.output.width)
        (image, row) = line.quotientAndRemainder(dividingBy: task.output.height)
        self.column = column
        output = task.output.origin
        residual = UnsafePointer(output)
        window = residual
        find(task)
    }

    mutating func advance(in task: ConvolutionTask) {
        column += 1
        if column < task.output.width {
            window += task.shape.stride * task.input.channels
            output += task.output.channels
            residual += task.output.channels
            return
        }
        column = 0
        row += 1
        if row == task.output.height {
            row = 0
            image += 1
        }
        // After the last pixel nothing is left to find.
        if image < task.imageCount { find(task) }
    }

    /// Finds the addresses from image, row and column.
    private mutating func find(_ task: ConvolutionTask) {
        let (stride, padding) = (task.shape.stride, task.shape.padding)
        window = UnsafePointer(
            task.input.pixel(image: image, row: row * stride - padding, column: column * stride - padding))
        output = task.output.pixel(image: image, row: row, column: column)
        residual = UnsafePointer((task.residual ?? task.output).pixel(image: image, row: row, column: column))
    }
}
