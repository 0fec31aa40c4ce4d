// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The gradient of the binomial filter in Double, rounded once.
enum ReferenceBlurGradient {
    static var kernel: Kernel<BlurGradientTask> {
        Kernel(
            name: "blurGradientF32_reference",
            needs: { KernelNeeds(scratchCount: GradientPlane.floatCount($0.inputGradient)) },
            blockCount: { _, _ in 1 }, runBlock: { task, _, _, memory in run(task, memory.own) })
    }

    private static func run(_ task: BlurGradientTask, _ scratch: UnsafeMutablePointer<Float>) {
        let plane = GradientPlane(task.inputGradient, scratch)
        let blur = task.blur
        for channel in 0..<task.inputGradient.channels {
            plane.clear()
            for row in 0..<task.outputGradient.height {
                for column in 0..<task.outputGradient.width {
                    let gradient = Double(task.outputGradient.pixel(row: row, column: column)[channel])
                    blur.forEachWeight { y, rowWeight in
                        blur.forEachWeight { x, columnWeight in
                            plane.add(
                                rowWeight * columnWeight * gradient, row: blur.row(of: row, element: y),
                                column: blur.column(of: column, element: x))
                        }
                    }
                }
            }
            plane.write(channel: channel, accumulates: task.accumulates)
        }
    }
}
