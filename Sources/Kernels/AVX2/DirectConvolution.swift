// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import KernelsAVX2

/// Convolution of any kernel size and stride straight from the bordered input, six pixels by sixteen channels at a time.
///
/// A row of a window is contiguous in memory (channels last, with a border), so nothing is gathered: a tile needs the
/// addresses of its six windows alone.
enum DirectConvolutionAVX2 {
    static var kernel: ConvolutionKernel {
        ConvolutionKernel(
            name: "convolutionF32_direct6x16_avx2",
            packedCount: { DirectBlocking($0).panelCount * DirectBlocking($0).depth * panelWidth },
            pack: pack,
            blockCount: { DirectBlocking($0).blockCount },
            scratchCount: { DirectBlocking($0).scratchCount },
            run: run
        )
    }

    static let tileHeight = 6
    static let panelWidth = 16

    /// Panels of 16 output channels, zeros where there are fewer; in a panel the order of a window in memory (row,
    /// column, input channel), 16 weights for each.
    static func pack(
        shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        packed: UnsafeMutablePointer<Float>
    ) {
        let depth = DirectBlocking(shape).depth
        for panel in 0..<DirectBlocking(shape).panelCount {
            let out = packed + panel * depth * panelWidth
            let lanes = min(panelWidth, shape.outputChannels - panel * panelWidth)
            if lanes < panelWidth { out.update(repeating: 0, count: depth * panelWidth) }
            // A few input channels of all lanes at a time, so that what is written stays in the first-level cache.
            for firstInput in stride(from: 0, to: shape.inputChannels, by: packedInputs) {
                let inputs = firstInput..<min(firstInput + packedInputs, shape.inputChannels)
                for lane in 0..<lanes {
                    let output = panel * panelWidth + lane
                    pack(
                        shape, inputs: inputs, weights: weights + output * depth, factor: scale?[output] ?? 1,
                        to: out + lane)
                }
            }
        }
    }

    private static let packedInputs = 32

    /// Packs one output channel's weights of some input channels to every 16th float.
    private static func pack(
        _ shape: ConvolutionShape, inputs: Range<Int>, weights: UnsafePointer<Float>, factor: Double,
        to out: UnsafeMutablePointer<Float>
    ) {
        let area = shape.kernelSize * shape.kernelSize
        var weight = weights + inputs.lowerBound * area
        for input in inputs {
            for position in 0..<area {
                out[(position * shape.inputChannels + input) * panelWidth] = Float(Double(weight.pointee) * factor)
                weight += 1
            }
        }
    }

    /// Computes the pixels and panels of one block.
    static func run(task: ConvolutionTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let shape = task.shape
        let blocking = DirectBlocking(shape)
        let tiles = TileAddresses(task, pixels: blocking.pixels(of: block), scratch: scratch)
        let segmentLength = shape.kernelSize * shape.inputChannels
        for panel in blocking.panels(of: block) {
            let channel = panel * panelWidth
            let packed = task.packedWeights + channel * blocking.depth
            let isWhole = channel + panelWidth <= shape.outputChannels
            let bias = isWhole ? task.bias + channel : tiles.paddedBias(task, channel: channel)
            for tile in 0..<tiles.count {
                let first = tile * tileHeight
                if isWhole {
                    convolutionTile6x16(
                        inputs: tiles.inputs + first, segmentCount: shape.kernelSize,
                        segmentStride: task.input.rowStride, segmentLength: segmentLength, panel: packed, bias: bias,
                        residuals: task.residual == nil ? nil : tiles.residuals + first,
                        outputs: UnsafePointer(tiles.outputs + first), channel: channel, isRelu: task.relu)
                } else {
                    convolutionTile6x16(
                        inputs: tiles.inputs + first, segmentCount: shape.kernelSize,
                        segmentStride: task.input.rowStride, segmentLength: segmentLength, panel: packed, bias: bias,
                        residuals: nil, outputs: UnsafePointer(tiles.edge), channel: 0, isRelu: false)
                    tiles.finishEdge(task, tile: tile, channel: channel)
                }
            }
        }
    }
}

/// How a layer is cut into blocks: ranges of output pixels by ranges of panels of 16 output channels.
struct DirectBlocking {
    /// Length of the sums.
    let depth: Int
    let panelCount: Int
    private let outputChannels: Int
    private let pixelCount: Int
    private let pixelBlocks: Int
    private let panelBlocks: Int

    init(_ shape: ConvolutionShape) {
        depth = shape.kernelSize * shape.kernelSize * shape.inputChannels
        outputChannels = shape.outputChannels
        panelCount = (shape.outputChannels + DirectConvolutionAVX2.panelWidth - 1) / DirectConvolutionAVX2.panelWidth
        pixelCount = shape.outputHeight * shape.outputWidth
        let floatsPerPixel = shape.stride * shape.stride * shape.inputChannels + shape.outputChannels
        let wanted = max(48, DirectBlocking.cachedFloats / floatsPerPixel)
        let blocks = max(1, (pixelCount + wanted - 1) / wanted)
        pixelBlocks = blocks
        panelBlocks = min(panelCount, (DirectBlocking.wantedBlocks + blocks - 1) / blocks)
    }

    var blockCount: Int { pixelBlocks * panelBlocks }

    func pixels(of block: Int) -> Range<Int> { blockRange(block / panelBlocks, of: pixelBlocks, count: pixelCount) }
    func panels(of block: Int) -> Range<Int> { blockRange(block % panelBlocks, of: panelBlocks, count: panelCount) }

    /// Room for `TileAddresses`.
    var scratchCount: Int {
        TileAddresses.scratchCount(pixels: (pixelCount + pixelBlocks - 1) / pixelBlocks, channels: outputChannels)
    }

    /// What a block reads and writes of activations stays in the second-level cache, beside a panel of weights: 192 KB.
    private static let cachedFloats = 48 * 1024

    /// Enough for a few threads to finish at about the same time.
    private static let wantedBlocks = 16
}

/// Where the windows, residuals and outputs of a block's pixels are, six to a tile. The last tile is filled up with pixels
/// that are computed and thrown away.
struct TileAddresses {
    let count: Int
    let inputs: UnsafeMutablePointer<UnsafePointer<Float>>
    let residuals: UnsafeMutablePointer<UnsafePointer<Float>>
    let outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    /// Six pixels of 16 channels: the output of a tile whose panel is not whole.
    let edge: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    private let bias: UnsafeMutablePointer<Float>
    private let pixels: Range<Int>

    /// Floats of scratch memory: three addresses a pixel and six for the edge, then the edge itself, a padded bias, and a
    /// pixel that nobody reads.
    static func scratchCount(pixels: Int, channels: Int) -> Int {
        let height = DirectConvolutionAVX2.tileHeight
        let rounded = (pixels + height - 1) / height * height
        let floatsPerAddress = MemoryLayout<Int>.stride / MemoryLayout<Float>.stride
        return (3 * rounded + height) * floatsPerAddress + (height + 1) * DirectConvolutionAVX2.panelWidth + channels
    }

    init(_ task: ConvolutionTask, pixels: Range<Int>, scratch: UnsafeMutablePointer<Float>) {
        let height = DirectConvolutionAVX2.tileHeight
        let width = DirectConvolutionAVX2.panelWidth
        count = (pixels.count + height - 1) / height
        let rounded = count * height
        let addresses = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: UnsafePointer<Float>.self)
        inputs = addresses
        residuals = addresses + rounded
        outputs = UnsafeMutableRawPointer(addresses + 2 * rounded)
            .assumingMemoryBound(to: UnsafeMutablePointer<Float>.self)
        edge = outputs + rounded
        let floats = UnsafeMutableRawPointer(edge + height).assumingMemoryBound(to: Float.self)
        for pixel in 0..<height { edge[pixel] = floats + pixel * width }
        bias = floats + height * width
        let unread = bias + width
        self.pixels = pixels

        let shape = task.shape
        var (row, column) = pixels.lowerBound.quotientAndRemainder(dividingBy: task.output.width)
        for pixel in 0..<rounded {
            guard pixel < pixels.count else {
                inputs[pixel] = inputs[pixel - 1]
                residuals[pixel] = UnsafePointer(unread)
                outputs[pixel] = unread
                continue
            }
            inputs[pixel] = UnsafePointer(
                task.input.pixel(
                    row: row * shape.stride - shape.padding, column: column * shape.stride - shape.padding))
            if let residual = task.residual {
                residuals[pixel] = UnsafePointer(residual.pixel(row: row, column: column))
            }
            outputs[pixel] = task.output.pixel(row: row, column: column)
            column += 1
            if column == task.output.width { (row, column) = (row + 1, 0) }
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
        let first = tile * DirectConvolutionAVX2.tileHeight
        for pixel in 0..<min(DirectConvolutionAVX2.tileHeight, pixels.count - first) {
            for lane in 0..<task.shape.outputChannels - channel {
                var value = edge[pixel][lane]
                if task.residual != nil { value += residuals[first + pixel][channel + lane] }
                outputs[first + pixel][channel + lane] = task.relu ? relu(value) : value
            }
        }
    }
}
