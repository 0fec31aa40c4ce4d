// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Weights as the direct convolution reads them: panels of output channels, zeros where there are fewer; in a panel the
/// order of a window in memory (row, column, input channel), a weight of each output channel for each. Behind the panels
/// stands a number that is 0 if all weights are finite.
enum DirectPacking<Instructions: VectorInstructions> {
    private static var packedInputs: Int { 32 }
    private static var width: Int { Instructions.panelWidth }

    /// Floats of the packed weights.
    static func packedCount(_ shape: ConvolutionShape) -> Int { panelsCount(shape) + 1 }

    private static func panelsCount(_ shape: ConvolutionShape) -> Int {
        divideRoundingUp(shape.outputChannels, width) * shape.windowCount * width
    }

    /// Whether all of the packed weights are finite.
    static func isFinite(_ packed: UnsafePointer<Float>, _ shape: ConvolutionShape) -> Bool {
        packed[panelsCount(shape)] == 0
    }

    static func pack(
        shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        packed: UnsafeMutablePointer<Float>
    ) {
        let panelFloats = shape.windowCount * width
        var zeroProducts: Float = 0
        for panel in 0..<divideRoundingUp(shape.outputChannels, width) {
            let out = packed + panel * panelFloats
            let (source, channel) = (weights + panel * panelFloats, panel * width)
            let channels = min(width, shape.outputChannels - channel)
            if shape.kernelSize == 1 && channels == width {
                packPointwise(shape, weights: source, scale: scale.map { $0 + channel }, out: out)
            } else {
                packWindows(
                    shape, channels: channels, weights: source, scale: scale.map { $0 + channel }, out: out)
            }
            // While the panel is in the cache.
            zeroProducts += Instructions.sumOfZeroProducts(out, count: panelFloats)
        }
        packed[panelsCount(shape)] = zeroProducts
    }

    /// Packs a panel of the given output channels, which may be fewer than it has room for.
    private static func packWindows(
        _ shape: ConvolutionShape, channels: Int, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        out: UnsafeMutablePointer<Float>
    ) {
        let depth = shape.windowCount
        if channels < width { out.update(repeating: 0, count: depth * width) }
        // A few input channels of all lanes at a time, so that what is written stays in the first-level cache.
        for firstInput in stride(from: 0, to: shape.inputChannels, by: packedInputs) {
            let inputs = firstInput..<min(firstInput + packedInputs, shape.inputChannels)
            for lane in 0..<channels {
                pack(shape, inputs: inputs, weights: weights + lane * depth, factor: scale?[lane] ?? 1, to: out + lane)
            }
        }
    }

    /// Packs a whole panel of a pointwise convolution, the greater part of a bottleneck network's weights, in vectors.
    private static func packPointwise(
        _ shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        out: UnsafeMutablePointer<Float>
    ) {
        let depth = shape.inputChannels
        let ones = InlineArray<32, Double>(repeating: 1)
        ones.span.withUnsafeBufferPointer { ones in
            guard let ones = ones.baseAddress else { return }
            Instructions.packPanel(
                weights: weights, rowStride: depth, count: depth, scale: scale ?? ones, out: out)
        }
    }

    /// Packs one output channel's weights of some input channels to a column of a panel.
    private static func pack(
        _ shape: ConvolutionShape, inputs: Range<Int>, weights: UnsafePointer<Float>, factor: Double,
        to out: UnsafeMutablePointer<Float>
    ) {
        let area = shape.kernelSize * shape.kernelSize
        let width = width
        var weight = weights + inputs.lowerBound * area
        for input in inputs {
            for position in 0..<area {
                out[(position * shape.inputChannels + input) * width] = Float(Double(weight.pointee) * factor)
                weight += 1
            }
        }
    }
}
