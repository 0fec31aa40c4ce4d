// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Multiplies values by a factor, in place.
package struct ScalingTask: KernelTask {
    package let values: UnsafeMutablePointer<Float>
    package let count: Int
    package let factor: Float

    package init(values: UnsafeMutablePointer<Float>, count: Int, factor: Float) {
        self.values = values
        self.count = count
        self.factor = factor
    }
}

extension ScalingTask {
    package func assertContract() {
        assert(count >= 0, "the number of values is negative")
    }
}

/// The only kernel for it: as fast as memory on every CPU.
enum Scaling {
    static var kernel: Kernel<ScalingTask> {
        Kernel(
            name: "scalingF32", blockCount: { task, _ in parameterBlockCount(task.count) },
            runBlock: { task, _, block, _ in
                for index in parameterBlock(block, of: task.count) { task.values[index] *= task.factor }
            })
    }
}
