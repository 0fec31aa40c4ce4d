// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The parts of the sums of a weight gradient, and their places in the memory that the phases share: for each part and
/// output channel one float per float of a window, in the order of a window in memory (row, column, input channel).
struct WeightGradientParts {
    /// The first phase computes parts, the second adds them up in PyTorch's order of weights.
    static var phaseCount: Int { 2 }

    private let task: WeightGradientTask
    let rows: RowParts

    init(_ task: WeightGradientTask) {
        let blocks =
            divideRoundingUp(task.shape.outputChannels, mostOutputs)
            * divideRoundingUp(task.shape.windowCount, mostFloats)
        self.init(task, partCount: divideRoundingUp(wantedBlocks, blocks))
    }

    /// - Parameter partCount: The wanted number of parts, if the rows are enough.
    init(_ task: WeightGradientTask, partCount: Int) {
        self.task = task
        rows = RowParts(imageCount: task.imageCount, height: task.shape.outputHeight, wanted: partCount)
    }

    /// - Parameter scratchCount: Of the first phase.
    func needs(scratchCount: Int) -> KernelNeeds {
        KernelNeeds(
            phaseCount: Self.phaseCount, sharedCount: rows.count * task.shape.weightCount,
            scratchCount: max(scratchCount, task.shape.windowCount))
    }

    /// The floats of a part, those of the first output channel first.
    func floats(_ part: Int, _ shared: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
        shared + part * task.shape.weightCount
    }

    var combiningBlockCount: Int { divideRoundingUp(task.shape.outputChannels, outputsTogether) }

    /// Adds up the parts of some output channels, the first part first, and finishes them.
    ///
    /// - Parameters:
    ///   - order: Gathers the taps of a number of channels, which are that far apart.
    ///   - finish: Writes the gradients of an output channel, and returns the sum of their products with the weights.
    @inline(__always)
    func combine(
        block: Int, _ memory: KernelMemory,
        order: (_ sums: UnsafePointer<Float>, _ channels: Int, _ area: Int, UnsafeMutablePointer<Float>) -> Void,
        finish: (UnsafePointer<Float>, _ channel: Int) -> Double
    ) {
        let first = block * outputsTogether
        let count = task.shape.windowCount
        let area = task.shape.kernelSize * task.shape.kernelSize
        for output in first..<min(first + outputsTogether, task.shape.outputChannels) {
            let sums = memory.shared + output * count
            for part in 1..<max(rows.count, 1) {
                let addends = floats(part, memory.shared) + output * count
                for index in 0..<count { sums[index] += addends[index] }
            }
            var gradients = UnsafePointer(sums)
            if area > 1 {
                order(sums, task.shape.groupInputs, area, memory.own)
                gradients = UnsafePointer(memory.own)
            }
            let products = finish(gradients, output)
            if let out = task.products { out[output] = products }
        }
    }

    /// Combines the parts in plain Swift.
    func combine(block: Int, _ memory: KernelMemory) {
        combine(block: block, memory) { sums, channels, area, out in
            for channel in 0..<channels {
                for tap in 0..<area { out[channel * area + tap] = sums[tap * channels + channel] }
            }
        } finish: {
            task.finish($0, channel: $1)
        }
    }
}

extension WeightGradientTask {
    /// Writes the gradients of an output channel, times its factor, and returns the sum of their products with the weights.
    func finish(_ gradients: UnsafePointer<Float>, channel: Int) -> Double {
        let first = channel * shape.windowCount
        if let gradient {
            let factor = Float(scale?[channel] ?? 1)
            for index in 0..<shape.windowCount {
                let value = factor * gradients[index]
                gradient[first + index] = accumulates ? gradient[first + index] + value : value
            }
        }
        guard products != nil else { return 0 }
        var sum = 0.0
        for index in 0..<shape.windowCount { sum += Double(weights[first + index]) * Double(gradients[index]) }
        return sum
    }
}

/// Output channels and floats of windows that a thread sums up at a time: their sums stay in the second-level cache.
let mostOutputs = 128
let mostFloats = 256
/// Enough for several threads to finish at about the same time.
private let wantedBlocks = 16
/// Output channels of a block of the second phase.
private let outputsTogether = 16
