// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The binomial filter as one of columns and one of rows, eight values at a time.
enum PortableBlur {
    static var kernel: Kernel<BlurTask> {
        Kernel(
            name: "blurF32_portable", needs: { needs($0) }, blockCount: { task, _ in blockCount(task) },
            runBlock: { task, _, block, memory in run(task, block: block, scratch: memory.own) })
    }

    static func needs(_ task: BlurTask) -> KernelNeeds { KernelNeeds(scratchCount: task.input.rowFloats + task.size) }

    static func blockCount(_ task: BlurTask) -> Int {
        // Reading the windows dominates the cost of a row.
        rowBlockCount(height: task.output.height, rowFloats: task.input.rowFloats * task.size)
    }

    /// A block is a range of rows of the output.
    static func run(_ task: BlurTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
        let channels = task.input.channels
        // A row of the input, filtered over its neighbours above and below.
        let filtered = scratch
        let weights = scratch + task.input.rowFloats
        task.forEachWeight { element, weight in weights[element] = Float(weight) }
        for row in blockRange(block, of: blockCount(task), count: task.output.height) {
            for element in 0..<task.size {
                let source = task.input.pixel(row: task.row(of: row, element: element), column: 0)
                accumulate(
                    UnsafePointer(source), weight: weights[element], isFirst: element == 0, to: filtered,
                    count: task.input.rowFloats)
            }
            for column in 0..<task.output.width {
                let out = task.output.pixel(row: row, column: column)
                for element in 0..<task.size {
                    let source = filtered + task.column(of: column, element: element) * channels
                    accumulate(
                        UnsafePointer(source), weight: weights[element], isFirst: element == 0, to: out, count: channels
                    )
                }
            }
        }
    }

    /// Adds weighted values to sums; the first ones replace the values in memory.
    @inline(__always)
    private static func accumulate(
        _ values: UnsafePointer<Float>, weight: Float, isFirst: Bool, to sums: UnsafeMutablePointer<Float>, count: Int
    ) {
        var index = 0
        while index + 8 <= count {
            let products = (values + index).octet * weight
            (sums + index).store(isFirst ? products : (sums + index).octet + products)
            index += 8
        }
        while index < count {
            let product = values[index] * weight
            sums[index] = isFirst ? product : sums[index] + product
            index += 1
        }
    }
}
