// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Where the windows, residuals and outputs of a block's pixels are, with room for six to a tile. A tile that is lower
/// than any kernel is filled up with pixels that are computed and thrown away.
struct TileAddresses {
    let heights: TileHeights
    let inputs: UnsafeMutablePointer<UnsafePointer<Float>>
    let residuals: UnsafeMutablePointer<UnsafePointer<Float>>
    let outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    /// Six pixels of 16 channels: the output of a tile whose panel is not whole.
    let edge: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    private let bias: UnsafeMutablePointer<Float>

    /// Floats of scratch memory: three addresses a pixel and six for the edge, then the edge itself, a padded bias, and a
    /// pixel that nobody reads.
    static func scratchCount(pixels: Int, channels: Int) -> Int {
        let slots = divideRoundingUp(pixels, TileHeights.maximum) * TileHeights.maximum
        let floatsPerAddress = MemoryLayout<Int>.stride / MemoryLayout<Float>.stride
        return (3 * slots + TileHeights.maximum) * floatsPerAddress
            + (TileHeights.maximum + 1) * DirectConvolutionAVX2.panelWidth + channels + edgePadding
    }

    /// A tile writes whole panels, also to the pixel that nobody reads.
    private static let edgePadding = DirectConvolutionAVX2.panelWidth

    init(_ task: ConvolutionTask, pixels: Range<Int>, scratch: UnsafeMutablePointer<Float>) {
        let width = DirectConvolutionAVX2.panelWidth
        heights = TileHeights(rows: pixels.count)
        let slots = heights.count * TileHeights.maximum
        inputs = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UnsafePointer<Float>.self)
        residuals = inputs + slots
        outputs = UnsafeMutableRawPointer(inputs + 2 * slots)
            .assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
        edge = outputs + slots
        let floats = UnsafeMutableRawPointer(edge + TileHeights.maximum).assumingMemoryBound(to: Float.self)
        for pixel in 0..<TileHeights.maximum { edge[pixel] = floats + pixel * width }
        bias = floats + TileHeights.maximum * width
        let unread = bias + width

        var place = PixelPlace(task.output, index: pixels.lowerBound)
        for tile in 0..<heights.count {
            let rows = heights.rows(of: tile)
            for row in 0..<heights.height(of: tile) {
                let slot = tile * TileHeights.maximum + row
                guard row < rows else {
                    inputs[slot] = inputs[slot - 1]
                    residuals[slot] = UnsafePointer(unread)
                    outputs[slot] = unread
                    continue
                }
                inputs[slot] = UnsafePointer(place.window(of: task.input, task.shape))
                if let residual = task.residual { residuals[slot] = UnsafePointer(place.pixel(of: residual)) }
                outputs[slot] = place.pixel(of: task.output)
                place.advance(in: task.output)
            }
        }
    }

    /// The bias of a panel that is not whole, filled up with zeros.
    func paddedBias(_ task: ConvolutionTask, channel: Int) -> UnsafePointer<Float> {
        for lane in 0..<DirectConvolutionAVX2.panelWidth {
            bias[lane] = channel + lane < task.shape.outputChannels ? task.bias[channel + lane] : 0
        }
        return UnsafePointer(bias)
    }

    /// Residual and ReLU of the channels that a panel has, on the way from the edge to the output.
    func finishEdge(_ task: ConvolutionTask, tile: Int, channel: Int) {
        let first = tile * TileHeights.maximum
        for pixel in 0..<heights.rows(of: tile) {
            for lane in 0..<task.shape.outputChannels - channel {
                var value = edge[pixel][lane]
                if task.residual != nil { value += residuals[first + pixel][channel + lane] }
                outputs[first + pixel][channel + lane] = task.relu ? relu(value) : value
            }
        }
    }
}

/// The place of an output pixel among those of all images.
private struct PixelPlace {
    private var image: Int
    private var row: Int
    private var column: Int

    init(_ output: Activation, index: Int) {
        let (line, column) = index.quotientAndRemainder(dividingBy: output.width)
        (image, row) = line.quotientAndRemainder(dividingBy: output.height)
        self.column = column
    }

    mutating func advance(in output: Activation) {
        column += 1
        guard column == output.width else { return }
        column = 0
        row += 1
        guard row == output.height else { return }
        row = 0
        image += 1
    }

    func pixel(of activation: Activation) -> UnsafeMutablePointer<Float> {
        activation.pixel(image: image, row: row, column: column)
    }

    /// Where the pixel's window begins.
    func window(of input: Activation, _ shape: ConvolutionShape) -> UnsafeMutablePointer<Float> {
        input.pixel(
            image: image, row: row * shape.stride - shape.padding, column: column * shape.stride - shape.padding)
    }
}
