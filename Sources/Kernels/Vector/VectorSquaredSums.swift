// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Sums of squares: those of the deviations from means of 0 of pixels of 32 channels.
enum VectorSquaredSums<Instructions: VectorInstructions> {
    static var kernel: Kernel<SquaredSumsTask> {
        Kernel(
            name: Instructions.names.squaredSums, blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task, block: block) })
    }

    private static func run(_ task: SquaredSumsTask, block: Int) {
        let values = task.part(block)
        var sums = SquaredSumsTask.PartialSums(repeating: 0)
        let means = SquaredSumsTask.PartialSums(repeating: 0)
        let channels = sums.count
        let pixels = values.count / channels
        if let start = values.baseAddress {
            withUnsafeMutablePointer(to: &sums) { sums in
                withUnsafePointer(to: means) { means in
                    Instructions.addSquaredDeviations(
                        start, count: pixels, stride: channels, channels: channels,
                        means: UnsafeRawPointer(means).assumingMemoryBound(to: Double.self),
                        sums: UnsafeMutableRawPointer(sums).assumingMemoryBound(to: Double.self))
                }
            }
        }
        task.finish(block, sums, rest: UnsafeBufferPointer(rebasing: values[(pixels * channels)...]))
    }
}
