// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Testing

/// When a tape is stale, and what may follow a pass with it.
struct TapeTests {
    private static let stale = Int(BACKBONE_STATUS_STALE)

    private func expectStale(
        _ net: Net, _ tape: TestTape, _ culprit: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var gradients = [Float](repeating: 7, count: try net.trainableCount())
        expectFailure(
            net.backwardStatus(tape, into: &gradients), Self.stale, culprit, sourceLocation: sourceLocation)
        #expect(gradients.allSatisfy { $0 == 7 }, sourceLocation: sourceLocation)
    }

    @Test func aChangedNetworkMakesATapeStale() throws {
        let net = try Net.small()
        let tape = try TestTape(net)
        try expectStale(net, tape, "empty")
        let changes: [(String, () throws -> Void)] = [
            ("frozen", { try check(backbone_freeze(net.handle, 0)) }),
            ("frozen", { try check(backbone_set_trainable(net.handle, Int32(BACKBONE_TRAINABLE_NORMS))) }),
            ("written", { try net.write("fc.bias", [1, 2, 3, 4, 5]) }),
            ("written", { try check(backbone_init_weights(net.handle, 3)) }),
            (
                "written",
                {
                    let values = try net.parameters()
                    try check(backbone_write_trainable(net.handle, values, values.count))
                }
            ),
            (
                "written",
                {
                    let optimizer = try TestOptimizer(net)
                    try net.step(optimizer, [Float](repeating: 1, count: try net.trainableCount()))
                }
            ),
        ]
        for (culprit, change) in changes {
            try net.forwardTrain(tape)
            try change()
            try expectStale(net, tape, culprit)
            try net.forwardTrain(tape)
            _ = try net.backward(tape)
        }
        // What changes nothing makes nothing stale.
        try net.forwardTrain(tape)
        try check(backbone_freeze(net.handle, 0))
        try check(backbone_set_trainable(net.handle, Int32(BACKBONE_TRAINABLE_NORMS)))
        _ = try net.forward(Net.smallInput, shape: Net.smallShape, count: 1)
        _ = try net.backward(tape)
    }

    @Test func aTapeOfAnotherHandleIsStale() throws {
        let (net, other) = (try Net.small(), try Net.small())
        let tape = try TestTape(net)
        try net.forwardTrain(tape)
        try expectStale(other, tape, "another network")
        #expect(throws: StatusError.self) { try other.forwardTrain(tape) }
        _ = try net.backward(tape)
    }

    @Test func aSecondBackwardPassNeedsARetainedTape() throws {
        let net = try Net.small()
        let tape = try TestTape(net)
        try net.forwardTrain(tape)
        let once = try net.backward(tape)
        try expectStale(net, tape, "empty")

        let retained = try TestTape(net, retain: 1)
        try net.forwardTrain(retained)
        #expect(try net.backward(retained) == once)
        var sum = once
        try check(net.backwardStatus(retained, into: &sum, flags: UInt32(BACKBONE_BACKWARD_ACCUMULATE)))
        expectClose(sum, once.map { 2 * $0 }, 1e-6)
    }

    @Test func wrongArgumentsKeepTheTape() throws {
        let net = try Net.small()
        let tape = try TestTape(net)
        try net.forwardTrain(tape)
        var short = [Float](repeating: 7, count: 3)
        expectFailure(
            net.backwardStatus(tape, into: &short), Int(BACKBONE_STATUS_INVALID_ARGUMENT), "gradient_count is 3")
        expectFailure(
            net.backwardStatus(tape, into: &short, flags: 2), Int(BACKBONE_STATUS_INVALID_ARGUMENT), "flags is 2")
        #expect(short == [7, 7, 7])
        _ = try net.backward(tape)
    }

    /// The sign of a loss's change along its gradient, by a step against it.
    @Test func aStepAgainstTheGradientLowersTheLoss() throws {
        let net = try Net.small()
        let labels: [Int64] = [0, 4, 2, 2]
        let optimizer = try TestOptimizer(net)
        let tape = try TestTape(net)
        var losses: [Double] = []
        for _ in 0..<4 {
            var logits = [try net.forwardTrain(tape)]
            var loss = 0.0
            var gradients = [Float](repeating: .nan, count: try net.trainableCount())
            try withTensors(&logits, [[4, 5, 1, 1]]) { tensors in
                var gradient = tensors[0]
                try check(backbone_cross_entropy(tensors, labels, 4, 0, &loss, &gradient))
                try check(
                    backbone_backward(
                        net.handle, tape.handle, tensors, 1, nil, &gradients, gradients.count, 0))
            }
            try check(backbone_clip_gradients(net.handle, &gradients, gradients.count, 1, nil))
            try net.step(optimizer, gradients, rate: 0.02)
            losses.append(loss)
        }
        #expect(losses == losses.sorted(by: >), "\(losses)")
        #expect(losses[3] < losses[0] - 0.01)
    }
}
