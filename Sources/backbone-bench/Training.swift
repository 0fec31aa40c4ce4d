// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Execution

/// Training steps with a tape and SGD, and what their time goes to.
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
    let optimizer = try createOptimizer(network)
    defer { backbone_optimizer_free(optimizer) }
    // Operations of the whole batch; a data gradient and a weight gradient take as many as the forward pass.
    let operations = try trainedOperations(network, options)

    var (steps, updates): ([Int], [Int]) = ([], [])
    for run in -2..<options.runs {
        if run == 0 { Tape(handle: tape).measure(parts) }
        let start = shims_nanoseconds()
        try network.withTensors { input, outputs in
            try check(backbone_forward_train(network.net, tape, input, outputs, network.outputCount))
            // Any gradients will do: the features themselves.
            try check(backbone_backward(network.net, tape, outputs, network.outputCount, nil, gradients, count, 0))
        }
        let updateStart = shims_nanoseconds()
        // A learning rate of 0 leaves the weights; they are packed anew all the same.
        try check(backbone_optimizer_step(network.net, optimizer, gradients, count, 0, 0))
        if run < 0 { continue }
        steps.append(shims_nanoseconds() - start)
        updates.append(shims_nanoseconds() - updateStart)
    }
    var bytes = 0
    try check(backbone_tape_bytes(network.net, tape, &bytes))
    print("median \(milliseconds(median(steps))) ms, tape \(bytes >> 20) MB")
    for part in TrainingPart.allCases {
        let time = parts.pointee[part] / options.runs
        let speed = part.isConvolution ? ", \(tenths(Double(operations) / Double(max(time, 1)))) GFLOP/s" : ""
        print("\(part) \(milliseconds(time)) ms\(speed)")
    }
    print("optimizer \(milliseconds(median(updates))) ms")
}

private func createOptimizer(_ network: BenchNetwork) throws -> OpaquePointer {
    var settings = backbone_optimizer_options()
    try check(
        backbone_optimizer_options_init(
            &settings, MemoryLayout<backbone_optimizer_options>.size, Int32(BACKBONE_OPTIMIZER_SGD)))
    settings.momentum = 0.9
    var optimizer: OpaquePointer?
    try check(backbone_optimizer_create(network.net, &settings, &optimizer))
    guard let optimizer else { throw BenchError(message: "no optimizer") }
    return optimizer
}

/// Operations of the convolutions that are trained, by their definition.
private func trainedOperations(_ network: BenchNetwork, _ options: Options) throws -> Int {
    var operations = 0
    for layer in try network.profile() {
        let name = withUnsafeBytes(of: layer.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let stage = name.hasPrefix("layer") ? name.dropFirst(5).first?.wholeNumberValue ?? 0 : 0
        if stage > options.frozenStages { operations += Int(layer.operations) }
    }
    return operations
}

extension TrainingPart {
    fileprivate var isConvolution: Bool { self == .forward || self == .dataGradients || self == .weightGradients }
}
