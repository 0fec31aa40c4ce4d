// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Testing

/// `backbone_set_trainable`: norms or the head alone.
struct TrainableTests {
    private static let norms = Int32(BACKBONE_TRAINABLE_NORMS)
    private static let head = Int32(BACKBONE_TRAINABLE_HEAD)

    private func isNorm(_ name: String) -> Bool { name.contains("bn") || name.contains("downsample.1") }

    @Test(arguments: [0, 1, 2], [-1, 1, 4]) func entriesSayWhatIsTrained(which: Int, frozen: Int) throws {
        let net = try Net.small()
        try check(backbone_set_training(net.handle, 1))
        try check(backbone_freeze(net.handle, Int32(frozen)))
        try check(backbone_set_trainable(net.handle, Int32(which)))
        var count = 0
        for name in try net.entryNames() {
            let info = try net.entry(name)
            let stage = name.hasPrefix("layer") ? Int(String(name.dropFirst(5).prefix(1))) ?? 0 : 0
            let isHead = name.hasPrefix("fc.")
            let isOpen = isHead || stage > frozen
            let isChosen = which == 0 || which == 1 && isNorm(name) || which == 2 && isHead
            #expect(info.trainable == (info.is_parameter == 1 && isOpen && isChosen ? 1 : 0), "\(name)")
            #expect(info.batch_statistics == (isNorm(name) && isOpen ? 1 : 0), "\(name)")
            let slot = try net.slot(name)
            let size = info.trainable == 1 ? try net.read(name).count : 0
            #expect(slot.count == size)
            count += size
        }
        #expect(try net.trainableCount() == count)
    }

    /// The gradients of what is trained are those of training everything.
    @Test(arguments: [1, 2], [0, 1] as [Int32]) func gradientsAreThoseOfTrainingAll(which: Int32, mode: Int32) throws {
        let net = try Net.small()
        try check(backbone_set_training(net.handle, mode))
        let all = try net.gradients()
        var expected: [Float] = []
        for name in try net.entryNames() where which == 1 ? isNorm(name) : name.hasPrefix("fc.") {
            expected += all[try net.slot(name)]
        }
        try check(backbone_init_weights(net.handle, 0))
        try check(backbone_set_trainable(net.handle, which))
        let own = try net.gradients()
        // Before the head inference computes, by other arithmetic.
        expectClose(own, expected, which == 2 && mode == 0 ? 1e-4 : 1e-6)
        #expect(own.contains { $0 != 0 })
    }

    /// In evaluation mode nothing before the head is kept: the tape is the memory that inference computes in.
    @Test func theHeadAloneNeedsNoActivations() throws {
        // Wide enough that activations are most of a tape.
        let net = try Net.small { $0.base_channels = 16 }
        func bytes() throws -> Int {
            let tape = try TestTape(net)
            try net.forwardTrain(tape)
            var count = 0
            try check(backbone_tape_bytes(net.handle, tape.handle, &count))
            return count
        }
        let all = try bytes()
        try check(backbone_set_trainable(net.handle, Self.head))
        #expect(try bytes() * 4 < all)
        // With the statistics of batches the whole network is part of the pass.
        try check(backbone_set_training(net.handle, 1))
        #expect(try bytes() * 2 > all)
    }

    /// One tape for passes in both modes, whose frozen parts differ.
    @Test func aTapeFollowsTheMode() throws {
        let net = try Net.small()
        try check(backbone_set_trainable(net.handle, Self.head))
        let expected = try net.gradients()
        let tape = try TestTape(net)
        for mode in [1, 0, 1, 0] as [Int32] {
            try check(backbone_set_training(net.handle, mode))
            try net.forwardTrain(tape)
            let gradients = try net.backward(tape)
            #expect((gradients == expected) == (mode == 0))
            // The statistics as they were.
            try check(backbone_init_weights(net.handle, 0))
        }
    }

    @Test func badChoices() throws {
        let net = try Net()
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        for which in [-1, 3] as [Int32] {
            expectFailure(backbone_set_trainable(net.handle, which), invalid, "which is \(which)")
        }
        expectFailure(backbone_set_trainable(net.handle, Self.head), invalid, "no classifier")
        expectFailure(backbone_set_trainable(nil, 0), invalid, "net is NULL")
        let optimizer = try TestOptimizer(net)
        try check(backbone_set_trainable(net.handle, 0))
        let gradients = [Float](repeating: 0, count: try net.trainableCount())
        try net.step(optimizer, gradients)
        try check(backbone_set_trainable(net.handle, Self.norms))
        expectFailure(net.stepStatus(optimizer, gradients), Int(BACKBONE_STATUS_STALE))
    }
}
