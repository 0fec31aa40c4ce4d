// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Elementwise functions in Float, eight values at a time.
enum PortableElementwise {
    static var kernel: Kernel<ElementwiseTask> {
        Kernel(
            name: "elementwiseF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    /// Cost of an exponential, in moves of a float.
    private static let exponentialCost = 8

    static func blockCount(_ task: ElementwiseTask) -> Int {
        let cost =
            switch task.function {
            case .none, .relu: 1
            case .silu, .sigmoid: exponentialCost
            }
        return rowBlockCount(height: task.output.height, rowFloats: task.output.rowFloats * cost)
    }

    /// A block is a range of rows. Without a scale, a run of values is a row; with a scale, it is a pixel.
    static func run(_ task: ElementwiseTask, block: Int) {
        let runs = task.scale == nil ? 1 : task.output.width
        let count = task.output.rowFloats / runs
        for row in blockRange(block, of: blockCount(task), count: task.output.height) {
            for index in 0..<runs {
                let out = task.output.pixel(row: row, column: index)
                let residual = task.residual?.pixel(row: row, column: index)
                addProducts(
                    UnsafePointer(task.input.pixel(row: row, column: index)), scale: task.scale,
                    residual: UnsafePointer(residual), lowerBound: task.function == .relu ? 0 : -.infinity, to: out,
                    count: count)
                switch task.function {
                case .none, .relu: break
                case .silu: replace(out, count) { $0 / (1 + exponential(-$0)) }
                case .sigmoid: replace(out, count) { 1 / (1 + exponential(-$0)) }
                }
            }
        }
    }

    /// The larger of `input * scale + residual` and the bound; NaN for NaN.
    private static func addProducts(
        _ input: UnsafePointer<Float>, scale: UnsafePointer<Float>?, residual: UnsafePointer<Float>?,
        lowerBound: Float, to out: UnsafeMutablePointer<Float>, count: Int
    ) {
        let bounds = SIMD8<Float>(repeating: lowerBound)
        var index = 0
        while index + 8 <= count {
            var values = (input + index).octet
            if let scale { values *= (scale + index).octet }
            if let residual { values += (residual + index).octet }
            values.replace(with: bounds, where: values .< bounds)
            (out + index).store(values)
            index += 8
        }
        while index < count {
            var value = input[index]
            if let scale { value *= scale[index] }
            if let residual { value += residual[index] }
            out[index] = value < lowerBound ? lowerBound : value
            index += 1
        }
    }

    /// The last values, fewer than eight, are computed in a vector too: equal values give equal bits at any position.
    @inline(__always)
    private static func replace(
        _ values: UnsafeMutablePointer<Float>, _ count: Int, with function: (SIMD8<Float>) -> SIMD8<Float>
    ) {
        var index = 0
        while index + 8 <= count {
            (values + index).store(function((values + index).octet))
            index += 8
        }
        guard index < count else { return }
        var rest = SIMD8<Float>.zero
        for lane in 0..<(count - index) { rest[lane] = values[index + lane] }
        rest = function(rest)
        for lane in 0..<(count - index) { values[index + lane] = rest[lane] }
    }
}
