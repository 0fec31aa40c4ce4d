// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A step of SGD, eight parameters at a time.
enum PortableSGDStep {
    static var kernel: Kernel<SGDStepTask> {
        Kernel(
            name: "sgdStepF32_portable", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task.part(block)) })
    }

    static func run(_ step: shims_sgd_step) {
        var index = 0
        while index < step.count {
            let count = min(step.count - index, 8)
            var values = octet(step.parameters + index, count)
            var buffer = step.momentum_buffer.map { octet($0 + index, count) } ?? .zero
            update(&values, &buffer, octet(step.gradients + index, count), step)
            store(values, step.parameters + index, count)
            if let memory = step.momentum_buffer { store(buffer, memory + index, count) }
            index += count
        }
    }
}

/// A step of AdamW, eight parameters at a time.
enum PortableAdamWStep {
    static var kernel: Kernel<AdamWStepTask> {
        Kernel(
            name: "adamWStepF32_portable", blockCount: { task, _ in task.blockCount },
            runBlock: { task, _, block, _ in run(task.part(block)) })
    }

    static func run(_ step: shims_adamw_step) {
        var index = 0
        while index < step.count {
            let count = min(step.count - index, 8)
            var values = octet(step.parameters + index, count)
            var averages = octet(step.averages + index, count)
            var squares = octet(step.squares + index, count)
            update(&values, &averages, &squares, octet(step.gradients + index, count), step)
            store(values, step.parameters + index, count)
            store(averages, step.averages + index, count)
            store(squares, step.squares + index, count)
            index += count
        }
    }
}

/// `count` values, at most eight, and then zeros.
@inline(__always)
private func octet(_ values: UnsafePointer<Float>, _ count: Int) -> SIMD8<Float> {
    if count == 8 { return values.octet }
    var octet = SIMD8<Float>.zero
    for lane in 0..<count { octet[lane] = values[lane] }
    return octet
}

@inline(__always)
private func octet(_ values: UnsafeMutablePointer<Float>, _ count: Int) -> SIMD8<Float> {
    octet(UnsafePointer(values), count)
}

@inline(__always)
private func store(_ octet: SIMD8<Float>, _ values: UnsafeMutablePointer<Float>, _ count: Int) {
    if count == 8 { return values.store(octet) }
    for lane in 0..<count { values[lane] = octet[lane] }
}
