// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// Sets the border of an activation to zero.
package struct BorderZeroingTask: BitwiseCopyable {
    package let activation: Activation
    /// Ends it between two rows: the first one to touch new memory may wait for pages of all rows.
    let cancellation: Cancellation

    package init(activation: Activation, cancellation: Cancellation = .none) {
        self.activation = activation
        self.cancellation = cancellation
    }
}

/// The one kernel for borders, which are too small to be worth another.
enum BorderZeroing {
    static var kernel: BlockKernel<BorderZeroingTask> {
        BlockKernel(name: "borderZeroingF32", blockCount: { _ in 1 }, scratchCount: { _ in 0 }, run: run)
    }

    static func run(task: BorderZeroingTask, block: Int, scratch: UnsafeMutablePointer<Float>) {
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
