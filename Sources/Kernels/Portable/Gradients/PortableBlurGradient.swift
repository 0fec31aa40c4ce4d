// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of the binomial filter as one of rows and one of columns, eight values at a time.
enum PortableBlurGradient {
    static var kernel: Kernel<BlurGradientTask> {
        Kernel(
            name: "blurGradientF32_portable",
            needs: { KernelNeeds(scratchCount: $0.outputGradient.rowFloats + $0.blur.size) },
            blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) })
    }

    private static func blockCount(_ task: BlurGradientTask) -> Int {
        rowBlockCount(height: task.inputGradient.height, rowFloats: task.inputGradient.rowFloats * task.blur.size)
    }

    /// A block is a range of rows of the input gradient.
    private static func run(_ task: BlurGradientTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let (image, channels) = (task.inputGradient, task.inputGradient.channels)
        // The contribution of the windows of each column to a row of the input.
        let collected = scratch
        let weights = scratch + task.outputGradient.rowFloats
        task.blur.forEachWeight { element, weight in weights[element] = Float(weight) }
        for row in blockRange(block, of: blockCount(task), count: image.height) {
            let out = image.pixel(row: row, column: 0)
            if !task.accumulates { out.update(repeating: 0, count: image.rowFloats) }
            collect(task, row: row, weights: weights, to: collected)
            for column in 0..<task.outputGradient.width {
                for element in 0..<task.blur.size {
                    addProducts(
                        collected + column * channels, weights[element],
                        to: out + task.blur.column(of: column, element: element) * channels, count: channels)
                }
            }
        }
    }

    /// The rows of the output gradient whose windows hold a row of the input, times its weights in them: windows hold the row
    /// itself, and its reflections in the padding above and below.
    private static func collect(
        _ task: BlurGradientTask, row: Int, weights: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>
    ) {
        let count = task.outputGradient.rowFloats
        sums.update(repeating: 0, count: count)
        let last = task.inputGradient.height - 1
        addWindows(task, holding: row, weights: weights, to: sums)
        if row > 0 && row <= task.blur.padding { addWindows(task, holding: -row, weights: weights, to: sums) }
        if row < last && last - row <= task.blur.padding {
            addWindows(task, holding: 2 * last - row, weights: weights, to: sums)
        }
    }

    private static func addWindows(
        _ task: BlurGradientTask, holding row: Int, weights: UnsafePointer<Float>, to sums: UnsafeMutablePointer<Float>
    ) {
        let blur = task.blur
        let windows = WindowRow(
            size: blur.size, stride: blur.stride, padding: blur.padding, count: task.outputGradient.height)
        for window in windows.windows(holding: row) {
            let element = row + blur.padding - window * blur.stride
            addProducts(
                task.outputGradient.pixel(row: window, column: 0), weights[element], to: sums,
                count: task.outputGradient.rowFloats)
        }
    }

    @inline(__always)
    private static func addProducts(
        _ values: UnsafePointer<Float>, _ weight: Float, to sums: UnsafeMutablePointer<Float>, count: Int
    ) {
        forEachOctet(count) { index, lanes in
            (sums + index).write((values + index).octet(lanes) * weight, lanes, accumulates: true)
        }
    }
}
