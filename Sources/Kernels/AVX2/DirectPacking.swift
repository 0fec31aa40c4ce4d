// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import KernelsAVX2

/// Weights as the direct convolution reads them: panels of 16 output channels, zeros where there are fewer; in a panel
/// the order of a window in memory (row, column, input channel), 16 weights for each.
enum DirectPackingAVX2 {
    private static let packedInputs = 32

    static func pack(
        shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        packed: UnsafeMutablePointer<Float>
    ) {
        let depth = shape.windowCount
        if shape.kernelSize == 1 && shape.outputChannels % PanelAVX2.width == 0 {
            packPointwise(shape, weights: weights, scale: scale, packed: packed)
            return
        }
        for panel in 0..<divideRoundingUp(shape.outputChannels, PanelAVX2.width) {
            let out = packed + panel * depth * PanelAVX2.width
            let lanes = min(PanelAVX2.width, shape.outputChannels - panel * PanelAVX2.width)
            if lanes < PanelAVX2.width { out.update(repeating: 0, count: depth * PanelAVX2.width) }
            // A few input channels of all lanes at a time, so that what is written stays in the first-level cache.
            for firstInput in stride(from: 0, to: shape.inputChannels, by: packedInputs) {
                let inputs = firstInput..<min(firstInput + packedInputs, shape.inputChannels)
                for lane in 0..<lanes {
                    let output = panel * PanelAVX2.width + lane
                    pack(
                        shape, inputs: inputs, weights: weights + output * depth, factor: scale?[output] ?? 1,
                        to: out + lane)
                }
            }
        }
    }

    /// The greater part of a bottleneck network's weights, in vectors.
    private static func packPointwise(
        _ shape: ConvolutionShape, weights: UnsafePointer<Float>, scale: UnsafePointer<Double>?,
        packed: UnsafeMutablePointer<Float>
    ) {
        let depth = shape.inputChannels
        let ones = SIMD16<Double>(repeating: 1)
        withUnsafeBytes(of: ones) { ones in
            guard let ones = ones.assumingMemoryBound(to: Double.self).baseAddress else { return }
            for output in stride(from: 0, to: shape.outputChannels, by: PanelAVX2.width) {
                packPanel(
                    weights: weights + output * depth, rowStride: depth, count: depth,
                    scale: scale.map { $0 + output } ?? ones, out: packed + output * depth)
            }
        }
    }

    /// Packs one output channel's weights of some input channels to every 16th float.
    private static func pack(
        _ shape: ConvolutionShape, inputs: Range<Int>, weights: UnsafePointer<Float>, factor: Double,
        to out: UnsafeMutablePointer<Float>
    ) {
        let area = shape.kernelSize * shape.kernelSize
        var weight = weights + inputs.lowerBound * area
        for input in inputs {
            for position in 0..<area {
                out[(position * shape.inputChannels + input) * PanelAVX2.width] = Float(Double(weight.pointee) * factor)
                weight += 1
            }
        }
    }
}
