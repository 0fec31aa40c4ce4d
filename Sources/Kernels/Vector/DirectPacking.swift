// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Weights as the direct and the grouped convolution read them: panels of output channels, zeros in place of missing
/// ones; in a panel the order of a window in memory (row, column, input channel of the group), a weight of each output
/// channel for each. After the panels, a number for each that is 0 if all its weights are finite.
enum DirectPacking<Instructions: VectorInstructions> {
    private static var packedInputs: Int { 32 }
    private static var width: Int { Instructions.panelWidth }

    static var kernel: Kernel<WeightPackingTask> {
        Kernel(
            name: Instructions.names.packing, blockCount: { task, _ in panelCount(task.shape) },
            runBlock: { task, _, block, _ in pack(task, panel: block) })
    }

    private static func panelCount(_ shape: ConvolutionShape) -> Int { divideRoundingUp(shape.outputChannels, width) }

    private static func panelFloats(_ shape: ConvolutionShape) -> Int { shape.windowCount * width }

    /// Floats of the packed weights.
    static func packedCount(_ shape: ConvolutionShape) -> Int { panelCount(shape) * (panelFloats(shape) + 1) }

    /// Whether all of the packed weights are finite.
    static func isFinite(_ packed: UnsafePointer<Float>, _ shape: ConvolutionShape) -> Bool {
        let numbers = packed + panelCount(shape) * panelFloats(shape)
        for panel in 0..<panelCount(shape) where numbers[panel] != 0 { return false }
        return true
    }

    private static func pack(_ task: WeightPackingTask, panel: Int) {
        let shape = task.shape
        let out = task.packed + panel * panelFloats(shape)
        let channel = panel * width
        let channels = min(width, shape.outputChannels - channel)
        let zeroProducts: Float
        if shape.groups == 1 && channels == width && !task.isTransposed && shape.kernelSize <= mostTapsOfLine
            && shape.inputChannels % Instructions.packedInputs == 0
        {
            zeroProducts = packPanel(task, channel: channel, out: out)
        } else {
            if shape.kernelSize == 1 && shape.groups == 1 && channels == width && task.isTransposed {
                // The output channels of each input channel are contiguous.
                Instructions.packColumns(
                    weights: task.weights + channel, rowStride: shape.outputChannels, count: shape.inputChannels,
                    scale: task.scale, out: out)
            } else {
                packWindows(task, channel: channel, channels: channels, out: out)
            }
            // The panel is still in the cache.
            zeroProducts = Instructions.sumOfZeroProducts(out, count: panelFloats(shape))
        }
        task.packed[panelCount(shape) * panelFloats(shape) + panel] = zeroProducts
    }

    /// Packs a panel of the given output channels, which may be fewer than it has room for.
    private static func packWindows(
        _ task: WeightPackingTask, channel: Int, channels: Int, out: UnsafeMutablePointer<Float>
    ) {
        let inputCount = task.shape.groupInputs
        if channels < width { out.update(repeating: 0, count: panelFloats(task.shape)) }
        // A few input channels of all lanes at a time, so that what is written stays in the first-level cache.
        for firstInput in stride(from: 0, to: inputCount, by: packedInputs) {
            for lane in 0..<channels {
                for input in firstInput..<min(firstInput + packedInputs, inputCount) {
                    task.forEachTap(output: channel + lane, input: input) { tap, weight in
                        out[(tap * inputCount + input) * width + lane] = weight
                    }
                }
            }
        }
    }

    /// Packs a whole panel of kernels of up to 3 x 3 in vectors: all but the stem.
    private static func packPanel(
        _ task: WeightPackingTask, channel: Int, out: UnsafeMutablePointer<Float>
    ) -> Float {
        let shape = task.shape
        let ones = InlineArray<32, Double>(repeating: 1)
        // Enough for 16 input channels, 9 taps and the widest panel.
        var scratch = InlineArray<4608, Float>(repeating: 0)
        var span = scratch.mutableSpan
        return ones.span.withUnsafeBufferPointer { ones in
            span.withUnsafeMutableBufferPointer { scratch in
                guard let ones = ones.baseAddress, let scratch = scratch.baseAddress else { return 0 }
                return Instructions.packPanel(
                    area: shape.kernelSize * shape.kernelSize, inputs: shape.inputChannels,
                    weights: task.weights + channel * shape.windowCount, scale: task.scale.map { $0 + channel } ?? ones,
                    out: out, scratch: scratch)
            }
        }
    }

    private static var mostTapsOfLine: Int { 3 }
}
