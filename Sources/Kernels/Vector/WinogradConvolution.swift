// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Convolution of 3 x 3 by Winograd's minimal filtering F(m x m, 3 x 3): the output is cut into tiles of m x m pixels, each
/// of which takes (m + 2)^2 multiplications per pair of channels at stride 1, (2 m + 1)^2 at stride 2, instead of 9 m^2.
///
/// The transformed inputs of some tiles are, at each of these points, the rows of a matrix that is multiplied by the
/// transformed weights of that point; a panel of output channels is done with before the next one is begun, so that
/// its products never leave the cache. `VectorKernels/WinogradForm.swift` says how they are transformed.
///
/// Where few tiles meet many channels the inputs are transformed in a phase of their own, and panels are shared among
/// threads; elsewhere each block transforms its own tiles. `WinogradBlocking` decides.
struct WinogradConvolution<Instructions: VectorInstructions>: Sendable {
    /// Output pixels of a tile in each direction: 2, 4 or 6.
    let m: Int

    private var width: Int { Instructions.panelWidth }

    // Closures that capture nothing: what they captured would be allocated by Swift, which cannot fail.

    static var kernel2: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: Instructions.names.winograd2,
                needs: { Self(m: 2).blocking($0).needs },
                blockCount: { Self(m: 2).blocking($0).blockCount(phase: $1) },
                runBlock: { Self(m: 2).run($0, phase: $1, block: $2, memory: $3) }),
            supports: { Self(m: 2).supports($0) },
            packedCount: { Self(m: 2).packedCount($0) },
            packing: Kernel(
                name: Instructions.names.packing, blockCount: { task, _ in Self(m: 2).panelCount(task.shape) },
                runBlock: { task, _, block, _ in Self(m: 2).pack(task, panel: block) }))
    }

    static var kernel4: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: Instructions.names.winograd4,
                needs: { Self(m: 4).blocking($0).needs },
                blockCount: { Self(m: 4).blocking($0).blockCount(phase: $1) },
                runBlock: { Self(m: 4).run($0, phase: $1, block: $2, memory: $3) }),
            supports: { Self(m: 4).supports($0) },
            packedCount: { Self(m: 4).packedCount($0) },
            packing: Kernel(
                name: Instructions.names.packing, blockCount: { task, _ in Self(m: 4).panelCount(task.shape) },
                runBlock: { task, _, block, _ in Self(m: 4).pack(task, panel: block) }))
    }

    static var kernel6: ConvolutionKernel {
        ConvolutionKernel(
            kernel: Kernel(
                name: Instructions.names.winograd6,
                needs: { Self(m: 6).blocking($0).needs },
                blockCount: { Self(m: 6).blocking($0).blockCount(phase: $1) },
                runBlock: { Self(m: 6).run($0, phase: $1, block: $2, memory: $3) }),
            supports: { Self(m: 6).supports($0) },
            packedCount: { Self(m: 6).packedCount($0) },
            packing: Kernel(
                name: Instructions.names.packing, blockCount: { task, _ in Self(m: 6).panelCount(task.shape) },
                runBlock: { task, _, block, _ in Self(m: 6).pack(task, panel: block) }))
    }

    private func blocking(_ task: ConvolutionTask) -> WinogradBlocking {
        WinogradBlocking(task, m: m, panelWidth: width)
    }

    private func supports(_ shape: ConvolutionShape) -> Bool {
        shape.kernelSize == 3 && shape.padding == 1 && shape.groups == 1 && shape.dilation == 1
            && (shape.stride == 1 || shape.stride == 2 && m <= 4)
            && shape.fillsVectors(Instructions.lanes, .winograd2)
    }

    private func packedCount(_ shape: ConvolutionShape) -> Int {
        geometry(shape).weightPoints * shape.inputChannels * shape.outputChannels
    }

    private func geometry(_ shape: ConvolutionShape) -> WinogradGeometry {
        WinogradGeometry(m: m, stride: shape.stride)
    }
}

// MARK: - Weights

extension WinogradConvolution {
    private func panelCount(_ shape: ConvolutionShape) -> Int { shape.outputChannels / width }

    /// Packs a weight of each output channel, for each panel of output channels, each point and each input channel. A
    /// block is a panel.
    private func pack(_ task: WeightPackingTask, panel: Int) {
        let inputs = task.shape.inputChannels
        let weightPoints = geometry(task.shape).weightPoints
        let output = panel * width
        // Lines of 8 channels in between, at most 8 x 8 of them, after which winogradWeights keeps 9 + 24 more and then
        // 8 x 8 panels of up to 32 floats; and last the factors.
        var memory = InlineArray<1840, Double>(repeating: 1)
        let scratchCount = 8 * (64 + 9 + 24) + 64 * 16
        var span = memory.mutableSpan
        span.withUnsafeMutableBufferPointer { memory in
            guard let scratch = memory.baseAddress else { return }
            let factors = scratch + scratchCount
            for input in 0..<inputs {
                var scale = UnsafePointer(factors)
                if let given = task.scale {
                    if task.isTransposed {
                        factors.update(repeating: given[input], count: width)
                    } else {
                        scale = given + output
                    }
                }
                Instructions.winogradWeights(
                    m: m, stride: task.shape.stride, weights: task.taps(output: output, input: input),
                    outputStride: task.isTransposed ? 9 : inputs * 9, isReversed: task.isTransposed, scale: scale,
                    out: task.packed + (panel * weightPoints * inputs + input) * width, pointStride: inputs * width,
                    scratch: scratch)
            }
            shims_end_stream()
        }
    }
}

// MARK: - Computing

extension WinogradConvolution {
    private func run(_ task: ConvolutionTask, phase: Int, block: Int, memory: KernelMemory) {
        let blocking = blocking(task)
        if !blocking.isShared {
            let tiles = blocking.tiles(of: block)
            let group = WinogradGroup(blocking, tiles)
            let inputs = memory.own + blocking.productCount
            let scratch = inputs + blocking.inputCount
            transform(task, blocking, group, only: tiles, to: inputs, scratch: scratch)
            for panel in 0..<blocking.panelCount {
                multiply(
                    task, blocking, group, inputs: inputs, panel: panel, products: memory.own, scratch: scratch)
            }
        } else if phase % 2 == 0 {
            let chunk = blocking.chunk(phase / 2)
            let tiles = blocking.transformedTiles(of: block, chunk)
            for index in 0..<blocking.groupCount {
                let groupTiles = blocking.tiles(ofGroup: index, chunk)
                guard groupTiles.overlaps(tiles) else { continue }
                let row = (groupTiles.lowerBound - chunk.lowerBound) * task.shape.inputChannels
                transform(
                    task, blocking, WinogradGroup(blocking, groupTiles), only: tiles, to: memory.shared + row,
                    scratch: memory.own)
            }
        } else {
            let chunk = blocking.chunk(phase / 2)
            let tiles = blocking.tiles(ofGroup: blocking.group(of: block), chunk)
            let group = WinogradGroup(blocking, tiles)
            let row = (tiles.lowerBound - chunk.lowerBound) * task.shape.inputChannels
            for panel in blocking.panels(of: block) {
                multiply(
                    task, blocking, group, inputs: memory.shared + row, panel: panel, products: memory.own,
                    scratch: memory.own + blocking.productCount)
            }
        }
    }

    /// Transforms the inputs of those tiles of a group that are in a range: `inputs[point][place of the tile][channel]`.
    private func transform(
        _ task: ConvolutionTask, _ blocking: WinogradBlocking, _ group: WinogradGroup, only tiles: Range<Int>,
        to inputs: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let channels = task.shape.inputChannels
        group.forEach { tile, index, place in
            guard tiles.contains(index) else { return }
            let top = tile.row * m * task.shape.stride - 1
            let left = tile.column * m * task.shape.stride - 1
            let height = blocking.geometry.samples(tile.rows)
            let width = blocking.geometry.samples(tile.columns)
            var source = UnsafePointer(task.input.pixel(image: tile.image, row: top, column: left))
            var rowStride = task.input.rowStride
            if top + height > task.input.height + 1 || left + width > task.input.width + 1 {
                // Other memory follows the border of one pixel: the tile is completed with zeros first.
                let patch = scratch + blocking.geometry.points * self.width
                copyPatch(task.input, height, width, image: tile.image, top: top, left: left, to: patch)
                source = UnsafePointer(patch)
                rowStride = width * channels
            }
            Instructions.winogradInput(
                m: m, stride: task.shape.stride,
                shims_winograd_input(
                    source: source, row_stride: rowStride, pixel_stride: channels, channels: channels, rows: tile.rows,
                    columns: tile.columns),
                out: inputs + place * channels, pointStride: blocking.pointStride, scratch: scratch)
        }
    }

    /// Copies what an image has of a tile's input, its border included, and fills the rest with zeros.
    private func copyPatch(
        _ input: Activation, _ height: Int, _ width: Int, image: Int, top: Int, left: Int,
        to patch: UnsafeMutablePointer<Float>
    ) {
        let rowFloats = width * input.channels
        let columns = min(width, input.width + 1 - left)
        for row in 0..<height {
            let out = patch + row * rowFloats
            let count = top + row <= input.height ? columns * input.channels : 0
            if count > 0 { out.update(from: input.pixel(image: image, row: top + row, column: left), count: count) }
            (out + count).update(repeating: 0, count: rowFloats - count)
        }
    }

    /// Multiplies the transformed inputs of a group of tiles by the weights of a panel, and transforms the products into
    /// output pixels.
    private func multiply(
        _ task: ConvolutionTask, _ blocking: WinogradBlocking, _ group: WinogradGroup, inputs: UnsafePointer<Float>,
        panel: Int, products: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let pointFloats = task.shape.inputChannels * width
        let geometry = blocking.geometry
        let panelWeights = task.packedWeights + panel * geometry.weightPoints * pointFloats
        for point in 0..<geometry.points {
            let owners = blocking.owners(of: point)
            multiply(
                rows: group.places(ofLow: owners.low, ofNarrow: owners.narrow), channels: task.shape.inputChannels,
                inputs: inputs + point * blocking.pointStride,
                weights: panelWeights + geometry.weightPoint(of: point) * pointFloats,
                products: products + point * blocking.productStride)
        }
        let channel = panel * width
        group.forEach { tile, _, place in
            let (row, column) = (tile.row * m, tile.column * m)
            let target = shims_winograd_output(
                output: task.output.pixel(image: tile.image, row: row, column: column) + channel,
                output_row: task.output.rowStride, output_pixel: task.output.channels,
                residual: task.residual.map {
                    UnsafePointer($0.pixel(image: tile.image, row: row, column: column) + channel)
                },
                residual_row: task.residual?.rowStride ?? 0, residual_pixel: task.output.channels,
                bias: task.bias + channel, is_relu: task.relu, rows: tile.rows, columns: tile.columns)
            Instructions.winogradOutput(
                m: m, stride: task.shape.stride, products: products + place * width,
                pointStride: blocking.productStride, target, scratch: scratch)
        }
    }

    /// Multiplies some rows of the transformed inputs of a point. A few more after them may be computed and overwrite
    /// memory that is not read, or that a later point will write.
    private func multiply(
        rows: Range<Int>, channels: Int, inputs: UnsafePointer<Float>, weights: UnsafePointer<Float>,
        products: UnsafeMutablePointer<Float>
    ) {
        guard !rows.isEmpty else { return }
        let heights = TileHeights(rows: rows.count, most: Instructions.mostProductRows)
        let prefetch = PrefetchSchedule(
            weights + channels * width, floats: channels * width, tiles: heights.count,
            columnFloats: Instructions.floatsPerPrefetch)
        for index in 0..<heights.count {
            let row = rows.lowerBound + heights.start(of: index)
            Instructions.productTile(
                height: heights.height(of: index), a: inputs + row * channels, aStride: channels, depth: channels,
                panel: weights, out: products + row * width, prefetch: prefetch.start(tile: index),
                prefetchStep: prefetch.step)
        }
    }
}

extension WinogradBlocking {
    fileprivate var needs: KernelNeeds {
        KernelNeeds(phaseCount: phaseCount, sharedCount: sharedCount, scratchCount: scratchCount)
    }
}
