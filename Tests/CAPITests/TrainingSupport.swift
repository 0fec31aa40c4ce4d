// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// A tape for tests.
final class TestTape {
    let handle: OpaquePointer

    init(_ net: Net, inputGradient: Int32 = 0, retain: Int32 = 0) throws {
        var options = backbone_tape_options()
        try check(backbone_tape_options_init(&options, MemoryLayout<backbone_tape_options>.size))
        options.input_gradient = inputGradient
        options.retain = retain
        var created: OpaquePointer?
        try check(backbone_tape_create(net.handle, &options, &created))
        handle = try #require(created)
    }

    deinit { backbone_tape_free(handle) }
}

/// An optimiser for tests.
final class TestOptimizer {
    let handle: OpaquePointer

    init(
        _ net: Net, _ kind: Int = Int(BACKBONE_OPTIMIZER_SGD), groups: [backbone_parameter_group] = [],
        _ change: (inout backbone_optimizer_options) -> Void = { _ in }
    ) throws {
        var options = backbone_optimizer_options()
        try check(
            backbone_optimizer_options_init(&options, MemoryLayout<backbone_optimizer_options>.size, Int32(kind)))
        change(&options)
        var created: OpaquePointer?
        try groups.withUnsafeBufferPointer { groups in
            options.groups = groups.baseAddress
            options.group_count = groups.count
            try check(backbone_optimizer_create(net.handle, &options, &created))
        }
        handle = try #require(created)
    }

    deinit { backbone_optimizer_free(handle) }
}

extension Net {
    /// The smallest network with a classifier.
    static func small(_ change: (inout backbone_options) -> Void = { _ in }) throws -> Net {
        try Net(baseChannels: 2) {
            $0.out_stages = UInt32(BACKBONE_STAGE_LOGITS)
            $0.num_classes = 5
            change(&$0)
        }
    }

    static let smallShape: [Int64] = [4, 3, 40, 36]
    static let smallInput = randomNumbers(4 * 3 * 40 * 36, seed: 3)

    func trainableCount() throws -> Int {
        var count = -1
        try check(backbone_trainable_count(handle, &count))
        return count
    }

    func parameters() throws -> [Float] {
        var values = [Float](repeating: .nan, count: try trainableCount())
        try check(backbone_read_trainable(handle, &values, values.count))
        return values
    }

    func slot(_ name: String) throws -> Range<Int> {
        var (offset, count) = (-1, -1)
        try check(backbone_trainable_slot(handle, try index(name), &offset, &count))
        return offset..<offset + count
    }

    /// The logits of the small input.
    @discardableResult
    func forwardTrain(_ tape: TestTape) throws -> [Float] {
        var input = Self.smallInput
        var memory = [[Float](repeating: .nan, count: 20)]
        try input.withUnsafeMutableBytes { input in
            try withTensors(&memory, [[4, 5, 1, 1]]) { outputs in
                var image = backbone_tensor(
                    input.baseAddress, shape: Self.smallShape, strides: contiguous(Self.smallShape))
                try check(backbone_forward_train(handle, tape.handle, &image, outputs, 1))
            }
        }
        return memory[0]
    }

    /// The status of a backward pass from a fixed gradient of the logits.
    func backwardStatus(_ tape: TestTape, into gradients: inout [Float], flags: UInt32 = 0) -> backbone_status {
        var memory = [randomNumbers(20, seed: 4)]
        return withTensors(&memory, [[4, 5, 1, 1]]) { outputs in
            backbone_backward(handle, tape.handle, outputs, 1, nil, &gradients, gradients.count, flags)
        }
    }

    func backward(_ tape: TestTape) throws -> [Float] {
        var gradients = [Float](repeating: .nan, count: try trainableCount())
        try check(backwardStatus(tape, into: &gradients))
        return gradients
    }

    /// The gradients of the small input's logits in the present mode.
    func gradients() throws -> [Float] {
        let tape = try TestTape(self)
        try forwardTrain(tape)
        return try backward(tape)
    }

    func stepStatus(
        _ optimizer: TestOptimizer, _ gradients: [Float], rate: Double = 0.1, flags: UInt32 = 0
    ) -> backbone_status {
        backbone_optimizer_step(handle, optimizer.handle, gradients, gradients.count, rate, flags)
    }

    func step(_ optimizer: TestOptimizer, _ gradients: [Float], rate: Double = 0.1) throws {
        try check(stepStatus(optimizer, gradients, rate: rate))
    }
}

/// Fails unless two vectors agree to a share of the larger one's largest value.
func expectClose(
    _ a: some Collection<Float>, _ b: some Collection<Float>, _ tolerance: Float,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let largest = max(a.map(abs).max() ?? 0, b.map(abs).max() ?? 0)
    let difference = zip(a, b).map { abs($0 - $1) }.max() ?? 0
    #expect(
        a.count == b.count && difference <= tolerance * largest, "\(difference) of \(largest)",
        sourceLocation: sourceLocation)
}

/// A file in the temporary folder that is removed at the end.
final class TemporaryFile {
    let path: String
    init(_ name: String) {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)").path
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func bytes() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }
}
