// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradients of a fully connected layer, eight inputs at a time. The first blocks compute columns of the input gradient,
/// the others rows of the weight gradient with their biases.
enum PortableLinearGradient {
    static var kernel: Kernel<LinearGradientTask> {
        Kernel(
            name: "linearGradientF32_portable",
            blockCount: { task, _ in columnBlockCount(task) + rowBlockCount(task) },
            runBlock: { task, _, block, _ in
                let columnBlocks = columnBlockCount(task)
                if block < columnBlocks {
                    computeInputs(task, block: block)
                } else {
                    computeOutputs(task, block: block - columnBlocks)
                }
            })
    }

    /// Inputs of a block: contiguous weights are long enough for the CPU to prefetch, and their sums stay in the L1 cache.
    private static let blockInputs = 256

    private static func columnBlockCount(_ task: LinearGradientTask) -> Int {
        task.inputGradient == nil ? 0 : divideRoundingUp(task.linear.inputCount, blockInputs)
    }

    /// At least 1.
    private static func rowBlockCount(_ task: LinearGradientTask) -> Int {
        Kernels.rowBlockCount(height: task.linear.outputCount, rowFloats: task.linear.inputCount)
    }

    /// Some inputs of all images, so that each weight is read once.
    private static func computeInputs(_ task: LinearGradientTask, block: Int) {
        guard let inputGradient = task.inputGradient else { return }
        let first = block * blockInputs
        let count = min(blockInputs, task.linear.inputCount - first)
        if !task.accumulates {
            for image in 0..<task.imageCount {
                (inputGradient + (image * task.inputGradientStride + first)).update(repeating: 0, count: count)
            }
        }
        for output in 0..<task.linear.outputCount {
            let weights = task.linear.weights + (output * task.linear.inputCount + first)
            for image in 0..<task.imageCount {
                let gradient = task.outputGradient[image * task.outputGradientStride + output]
                let sums = inputGradient + (image * task.inputGradientStride + first)
                addProducts(weights, gradient, to: sums, count: count)
            }
        }
    }

    /// Some outputs.
    private static func computeOutputs(_ task: LinearGradientTask, block: Int) {
        let inputCount = task.linear.inputCount
        for output in blockRange(block, of: rowBlockCount(task), count: task.linear.outputCount) {
            for image in 0..<task.imageCount {
                let gradient = task.outputGradient[image * task.outputGradientStride + output]
                if let biasGradient = task.biasGradient { biasGradient[output] += gradient }
                guard let weightGradient = task.weightGradient else { continue }
                addProducts(
                    task.linear.input + image * task.inputStride, gradient, to: weightGradient + output * inputCount,
                    count: inputCount)
            }
        }
    }

    @inline(__always)
    private static func addProducts(
        _ values: UnsafePointer<Float>, _ factor: Float, to sums: UnsafeMutablePointer<Float>, count: Int
    ) {
        forEachOctet(count) { index, lanes in
            (sums + index).write((values + index).octet(lanes) * factor, lanes, accumulates: true)
        }
    }
}
