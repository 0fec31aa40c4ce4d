// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Sets the border of an activation to zero.
package struct BorderZeroingTask: KernelTask {
    package let activation: Activation
    /// Ends it between two rows: the first access to new memory may wait for pages of all rows.
    let cancellation: Cancellation

    package init(activation: Activation, cancellation: Cancellation = .none) {
        self.activation = activation
        self.cancellation = cancellation
    }
}

extension BorderZeroingTask {
    package func assertContract() {
        activation.assertContract()
    }
}

/// The only kernel for borders, which are too small to need another.
enum BorderZeroing {
    static var kernel: Kernel<BorderZeroingTask> {
        Kernel(name: "borderZeroingF32", blockCount: { _, _ in 1 }, runBlock: { task, _, _, _ in run(task) })
    }

    static func run(_ task: BorderZeroingTask) {
        let activation = task.activation
        let border = activation.border
        guard border > 0 else { return }
        for row in -border..<(activation.height + border) {
            if task.cancellation.isCancelled { return }
            let start = activation.pixel(row: row, column: -border)
            if row < 0 || row >= activation.height {
                start.update(repeating: 0, count: activation.rowStride)
            } else {
                let side = border * activation.channels
                start.update(repeating: 0, count: side)
                activation.pixel(row: row, column: activation.width).update(repeating: 0, count: side)
            }
        }
    }
}
