// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sums of squares, value by value.
enum ReferenceSquaredSums {
    static var kernel: Kernel<SquaredSumsTask> {
        Kernel(
            name: "squaredSumsF32_reference", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: SquaredSumsTask, block: Int) {
        let values = task.part(block)
        var sums = SquaredSumsTask.PartialSums(repeating: 0)
        let whole = values.count - values.count % sums.count
        for index in 0..<whole { sums[index % sums.count] += Double(values[index]) * Double(values[index]) }
        task.finish(block, sums, rest: UnsafeBufferPointer(rebasing: values[whole...]))
    }
}
