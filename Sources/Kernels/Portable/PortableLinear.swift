// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A fully connected layer: for each output 32 partial sums, added in a fixed order.
enum PortableLinear {
    static var kernel: Kernel<LinearTask> {
        Kernel(
            name: "linearF32_portable", blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    static func blockCount(_ task: LinearTask) -> Int {
        // Reading the weights dominates the cost of an output.
        rowBlockCount(height: task.outputCount, rowFloats: task.inputCount)
    }

    /// A block is a range of outputs.
    static func run(_ task: LinearTask, block: Int) {
        for output in blockRange(block, of: blockCount(task), count: task.outputCount) {
            let sum = product(task.weights + output * task.inputCount, task.input, count: task.inputCount)
            if let bias = task.bias {
                task.output[output] = bias[output] + sum
            } else {
                task.output[output] = sum
            }
        }
    }

    private static func product(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
        var (sum0, sum1) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
        var (sum2, sum3) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
        var index = 0
        while index + 32 <= count {
            sum0 += (a + index).octet * (b + index).octet
            sum1 += (a + index + 8).octet * (b + index + 8).octet
            sum2 += (a + index + 16).octet * (b + index + 16).octet
            sum3 += (a + index + 24).octet * (b + index + 24).octet
            index += 32
        }
        while index + 8 <= count {
            sum0 += (a + index).octet * (b + index).octet
            index += 8
        }
        let sums = (sum0 + sum1) + (sum2 + sum3)
        let quarters = sums.lowHalf + sums.highHalf
        let pairs = quarters.lowHalf + quarters.highHalf
        var sum = pairs.x + pairs.y
        while index < count {
            sum += a[index] * b[index]
            index += 1
        }
        return sum
    }
}
