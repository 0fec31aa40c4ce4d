// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The sums of a norm's gradient, part by part.
enum PortableNormGradientSums {
    static var kernel: Kernel<NormGradientSumsTask> {
        Kernel(
            name: "normGradientSumsF32_portable", needs: { $0.parts.needs },
            blockCount: { task, phase in task.parts.blockCount(phase: phase) },
            runBlock: { task, phase, block, memory in
                if phase == 0 {
                    run(task, block, memory.shared)
                } else {
                    task.combine(block: block, memory.shared)
                }
            })
    }

    static func run(
        _ task: NormGradientSumsTask, _ part: Int, _ shared: UnsafeMutablePointer<Float>
    ) {
        let channels = task.gradient.channels
        let parts = task.parts
        let (sums, productSums) = parts.begin(part, shared)
        for index in parts.rows[part] {
            let (image, row) = parts.rows.place(index)
            for column in 0..<task.gradient.width {
                var gradient = UnsafePointer(task.gradient.pixel(image: image, row: row, column: column))
                if let result = task.result {
                    let result = result.pixel(image: image, row: row, column: column)
                    let masked = task.masked.pixel(image: image, row: row, column: column)
                    for channel in 0..<channels { masked[channel] = result[channel] <= 0 ? 0 : gradient[channel] }
                    gradient = UnsafePointer(masked)
                }
                for channel in 0..<channels { sums[channel] += Double(gradient[channel]) }
                guard let input = task.input, let mean = task.mean else { continue }
                let values = input.pixel(image: image, row: row, column: column)
                for channel in 0..<channels {
                    productSums[channel] += Double(gradient[channel]) * (Double(values[channel]) - mean[channel])
                }
            }
        }
    }
}
