// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Execution

/// Forward and backward passes with a tape, and what their time goes to.
func measureTraining(_ options: Options) throws {
    let network = try BenchNetwork(options)
    try check(backbone_set_training(network.net, 1))
    var tape: OpaquePointer?
    try check(backbone_tape_create(network.net, nil, &tape))
    defer { backbone_tape_free(tape) }
    guard let tape else { throw BenchError(message: "no tape") }
    var count = 0
    try check(backbone_trainable_count(network.net, &count))
    let gradients = UnsafeMutablePointer<Float>.allocate(capacity: count)
    defer { gradients.deallocate() }
    let parts = UnsafeMutablePointer<TrainingTimes>.allocate(capacity: 1)
    defer { parts.deallocate() }
    parts.initialize(to: TrainingTimes())
    var values = [Float](repeating: 0, count: count)
    try check(backbone_read_trainable(network.net, &values, count))

    var steps: [Int] = []
    for run in -2..<options.runs {
        if run == 0 { Tape(handle: tape).measure(parts) }
        // As an optimiser does: every step packs the weights anew.
        try check(backbone_write_trainable(network.net, values, count))
        let start = shims_nanoseconds()
        try network.withTensors { input, outputs in
            try check(backbone_forward_train(network.net, tape, input, outputs, 4))
            // Any gradients will do: the features themselves.
            try check(backbone_backward(network.net, tape, outputs, 4, nil, gradients, count, 0))
        }
        if run >= 0 { steps.append(shims_nanoseconds() - start) }
    }
    var bytes = 0
    try check(backbone_tape_bytes(network.net, tape, &bytes))
    print("median \(milliseconds(median(steps))) ms, tape \(bytes >> 20) MB")
    for part in TrainingPart.allCases {
        print("\(part) \(milliseconds(parts.pointee[part] / options.runs)) ms")
    }
}
