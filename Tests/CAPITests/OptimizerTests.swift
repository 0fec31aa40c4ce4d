// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Optimisers through the C functions. The rules themselves are compared with PyTorch's bits in `TrainingTests`.
struct OptimizerTests {
    private static let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
    private static let stale = Int(BACKBONE_STATUS_STALE)

    @Test func defaultsArePyTorchs() throws {
        var options = backbone_optimizer_options()
        let size = MemoryLayout<backbone_optimizer_options>.size
        #expect(size == 80 && MemoryLayout<backbone_parameter_group>.size == 32)
        for (kind, decay) in [(BACKBONE_OPTIMIZER_SGD, 0.0), (BACKBONE_OPTIMIZER_ADAMW, 1e-2)] {
            options.momentum = 5
            try check(backbone_optimizer_options_init(&options, size, Int32(kind)))
            #expect(options.struct_size == 80 && options.kind == Int32(kind) && options.nesterov == 0)
            #expect(options.momentum == 0 && options.dampening == 0 && options.weight_decay == decay)
            #expect(options.beta1 == 0.9 && options.beta2 == 0.999 && options.epsilon == 1e-8)
            #expect(options.groups == nil && options.group_count == 0 && options.reserved == 0)
        }
        expectFailure(backbone_optimizer_options_init(&options, size, 2), Self.invalid, "kind is 2")
        expectFailure(backbone_optimizer_options_init(&options, 72, 0), Self.invalid, "struct_size", "72")
        expectFailure(backbone_optimizer_options_init(nil, size, 0), Self.invalid, "options is NULL")
    }

    /// By hand: g' = g + wd p; b = g' at first, then m b + g'; p -= rate b. Norms have no decay, the head ten times the rate.
    @Test func stepsOfSGDAreTheFormula() throws {
        let net = try Net.small()
        let prefix = strdup("fc.")
        defer { free(prefix) }
        let optimizer = try TestOptimizer(
            net,
            groups: [
                backbone_parameter_group(
                    prefix: nil, kinds: UInt32(BACKBONE_PARAMETERS_NORMS), reserved: 0, learning_rate_factor: 1,
                    weight_decay: 0),
                backbone_parameter_group(
                    prefix: prefix, kinds: 0, reserved: 0, learning_rate_factor: 10, weight_decay: 0.5),
            ]
        ) {
            $0.momentum = 0.9
            $0.weight_decay = 0.25
        }
        let before = try net.parameters()
        var expected = before.map(Double.init)
        var buffer = [Double](repeating: 0, count: expected.count)
        var factors = [Double](repeating: 1, count: expected.count)
        var decays = [Double](repeating: 0.25, count: expected.count)
        for name in try net.entryNames() where try net.entry(name).trainable == 1 {
            let isNorm = name.contains("bn") || name.contains("downsample.1")
            for element in try net.slot(name) {
                if isNorm { decays[element] = 0 }
                if name.hasPrefix("fc.") { (factors[element], decays[element]) = (10, 0.5) }
            }
        }
        for number in 0..<3 {
            let gradients = randomNumbers(expected.count, seed: UInt64(number))
            try net.step(optimizer, gradients, rate: 0.01)
            for index in 0..<expected.count {
                let gradient = Double(gradients[index]) + decays[index] * expected[index]
                buffer[index] = number == 0 ? gradient : 0.9 * buffer[index] + gradient
                expected[index] -= 0.01 * factors[index] * buffer[index]
            }
        }
        expectClose(try net.parameters(), expected.map(Float.init), 1e-6)
    }

    /// In its first step Adam divides each gradient by its magnitude.
    @Test func theFirstStepOfAdamWIsTheFormula() throws {
        let net = try Net.small()
        let optimizer = try TestOptimizer(net, Int(BACKBONE_OPTIMIZER_ADAMW))
        let before = try net.parameters()
        let gradients = randomNumbers(before.count, seed: 9)
        try net.step(optimizer, gradients, rate: 0.01)
        let expected = zip(before, gradients).map { parameter, gradient in
            let (p, g) = (Double(parameter), Double(gradient))
            return Float(p * (1 - 0.01 * 1e-2) - 0.01 * g / (abs(g) + 1e-8))
        }
        expectClose(try net.parameters(), expected, 1e-6)
    }

    @Test func aStepIsWhatInferenceComputesWith() throws {
        let net = try Net.small()
        let before = try net.forward(Net.smallInput, shape: Net.smallShape, count: 1)
        let optimizer = try TestOptimizer(net)
        try net.step(optimizer, try net.gradients(), rate: 0.5)
        let after = try net.forward(Net.smallInput, shape: Net.smallShape, count: 1)
        #expect(before != after)
        let other = try Net.small()
        let values = try net.parameters()
        try check(backbone_write_trainable(other.handle, values, values.count))
        #expect(try other.forward(Net.smallInput, shape: Net.smallShape, count: 1) == after)
    }

    // MARK: - Stale

    @Test func freezingMakesAnOptimizerStaleUntilItFollows() throws {
        let net = try Net.small()
        let optimizer = try TestOptimizer(net) { $0.momentum = 0.9 }
        let reference = try Net.small()
        let plain = try TestOptimizer(reference) { $0.momentum = 0.9 }
        let all = randomNumbers(try net.trainableCount(), seed: 1)
        try net.step(optimizer, all)
        try reference.step(plain, all)

        try check(backbone_freeze(net.handle, 1))
        let count = try net.trainableCount()
        let some = Array(all[(all.count - count)...])
        let before = try net.snapshot()
        expectFailure(net.stepStatus(optimizer, some), Self.stale, "backbone_optimizer_follow")
        let file = TemporaryFile("stale.pth")
        expectFailure(
            backbone_save_training(net.handle, optimizer.handle, file.path, 0.1), Self.stale, "optimizer_follow")
        #expect(try net.snapshot() == before)
        try check(backbone_optimizer_follow(net.handle, optimizer.handle))
        try net.step(optimizer, some)

        // What stays trainable goes on with its momentum, as if nothing had been frozen.
        try reference.step(plain, all)
        for name in try net.entryNames() where try net.entry(name).trainable == 1 {
            #expect(try net.read(name) == reference.read(name), "\(name)")
        }
        #expect(try net.read("conv1.weight") != reference.read("conv1.weight"))

        // The same state again is not a change; another and back again is one.
        try check(backbone_freeze(net.handle, 1))
        try net.step(optimizer, some)
        try check(backbone_freeze(net.handle, 2))
        try check(backbone_freeze(net.handle, 1))
        expectFailure(net.stepStatus(optimizer, some), Self.stale)
    }

    @Test func writingWeightsDoesNotMakeAnOptimizerStale() throws {
        let net = try Net.small()
        let optimizer = try TestOptimizer(net)
        let gradients = randomNumbers(try net.trainableCount(), seed: 1)
        try net.write("fc.bias", [1, 2, 3, 4, 5])
        try check(backbone_init_weights(net.handle, 5))
        try net.step(optimizer, gradients)
    }

    @Test func anOptimizerOfAnotherHandleIsStale() throws {
        let first = try Net.small()
        let gradients = randomNumbers(try first.trainableCount(), seed: 1)
        let optimizer = try TestOptimizer(first)
        let file = TemporaryFile("other.pth")
        do {
            let second = try Net.small()
            let before = try second.snapshot()
            expectFailure(second.stepStatus(optimizer, gradients), Self.stale, "another network")
            expectFailure(backbone_optimizer_follow(second.handle, optimizer.handle), Self.stale, "another network")
            expectFailure(
                backbone_save_training(second.handle, optimizer.handle, file.path, 0), Self.stale, "another network")
            #expect(try second.snapshot() == before)
            let own = try TestOptimizer(second)
            try second.step(own, gradients)
        }
        try first.step(optimizer, gradients)
        // It outlives its handle, and is another's for one that gets the same memory.
        var created: OpaquePointer?
        do {
            let third = try Net.small()
            try check(backbone_optimizer_create(third.handle, nil, &created))
        }
        let fourth = try Net.small()
        expectFailure(
            backbone_optimizer_step(fourth.handle, created, gradients, gradients.count, 0.1, 0), Self.stale)
        backbone_optimizer_free(created)
        backbone_optimizer_free(nil)
    }

    // MARK: - Arguments

    @Test func wrongStepsChangeNothing() throws {
        let net = try Net.small()
        let optimizer = try TestOptimizer(net) { $0.momentum = 0.9 }
        var gradients = randomNumbers(try net.trainableCount(), seed: 1)
        let before = try net.snapshot()
        let short = Array(gradients.dropLast())
        expectFailure(net.stepStatus(optimizer, short), Self.invalid, "count is \(short.count)", "\(gradients.count)")
        for rate in [-0.1, .nan, .infinity] {
            expectFailure(net.stepStatus(optimizer, gradients, rate: rate), Self.invalid, "learning_rate is \(rate)")
        }
        expectFailure(net.stepStatus(optimizer, gradients, flags: 2), Self.invalid, "flags is 2")
        expectFailure(
            backbone_optimizer_step(net.handle, optimizer.handle, nil, gradients.count, 0.1, 0), Self.invalid,
            "gradients is NULL")
        expectFailure(
            backbone_optimizer_step(net.handle, nil, gradients, gradients.count, 0.1, 0), Self.invalid,
            "optimizer is NULL")
        let place = try net.slot("layer2.0.bn1.bias").lowerBound + 1
        gradients[place] = .nan
        expectFailure(
            net.stepStatus(optimizer, gradients), Int(BACKBONE_STATUS_NOT_FINITE), "layer2.0.bn1.bias", "nan",
            "element 1")
        #expect(try net.snapshot() == before)
        try check(net.stepStatus(optimizer, gradients, flags: UInt32(BACKBONE_STEP_ALLOW_NOT_FINITE)))
        #expect(try net.parameters()[place].isNaN)
    }

    @Test func wrongOptionsAreNamed() throws {
        let net = try Net.small()
        func refused(
            _ culprit: String, groups: [backbone_parameter_group] = [],
            _ change: (inout backbone_optimizer_options) -> Void = { _ in },
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            do {
                _ = try TestOptimizer(net, groups: groups, change)
                Issue.record("\(culprit) was accepted", sourceLocation: sourceLocation)
            } catch {
                let text = "\(error)"
                #expect(
                    text.contains(culprit) && text.hasPrefix("status 1:"), "\(text)", sourceLocation: sourceLocation)
            }
        }
        refused("kind is 7") { $0.kind = 7 }
        refused("nesterov is 2") { $0.nesterov = 2 }
        refused("nesterov is 1") { $0.nesterov = 1 }
        refused("reserved is 1") { $0.reserved = 1 }
        refused("momentum is -1") { $0.momentum = -1 }
        refused("weight_decay is nan") { $0.weight_decay = .nan }
        refused("beta1 is 1") {
            $0.kind = Int32(BACKBONE_OPTIMIZER_ADAMW)
            $0.beta1 = 1
        }
        refused("struct_size") { $0.struct_size = 8 }
        func group(_ kinds: UInt32, _ reserved: Int32, _ factor: Double, _ decay: Double) -> backbone_parameter_group {
            backbone_parameter_group(
                prefix: nil, kinds: kinds, reserved: reserved, learning_rate_factor: factor, weight_decay: decay)
        }
        refused("kinds of group 1 is 8", groups: [group(0, 0, 1, 0), group(8, 0, 1, 0)])
        refused("groups[0].reserved is 3", groups: [group(0, 3, 1, 0)])
        refused("group 0: learning_rate_factor is -1", groups: [group(0, 0, -1, 0)])
        refused("group 0: weight_decay is -1", groups: [group(0, 0, 1, -1)])
        var options = backbone_optimizer_options()
        var created: OpaquePointer?
        try check(
            backbone_optimizer_options_init(&options, MemoryLayout<backbone_optimizer_options>.size, 0))
        options.group_count = 2
        expectFailure(backbone_optimizer_create(net.handle, &options, &created), Self.invalid, "groups is NULL")
        options.group_count = -1
        expectFailure(
            backbone_optimizer_create(net.handle, &options, &created), Self.invalid,
            "group_count is 18446744073709551615")
        #expect(created == nil)
        try check(backbone_optimizer_create(net.handle, nil, &created))
        backbone_optimizer_free(created)
        let stages = try Net()
        try check(backbone_freeze(stages.handle, 4))
        expectFailure(
            backbone_optimizer_create(stages.handle, nil, &created), Self.invalid, "no parameter is trainable")
        #expect(created == nil)
    }

    // MARK: - Clipping

    @Test func clippingScalesToTheNorm() throws {
        let net = try Net.small()
        var values: [Float] = [3, 0, -4, 0]
        var norm = 0.0
        try check(backbone_clip_gradients(net.handle, &values, 4, 10, &norm))
        #expect(values == [3, 0, -4, 0] && norm == 5)
        try check(backbone_clip_gradients(net.handle, &values, 4, 1, &norm))
        #expect(norm == 5)
        expectClose(values, [0.6, 0, -0.8, 0], 1e-6)
        try check(backbone_clip_gradients(net.handle, &values, 4, .infinity, nil))
        try check(backbone_clip_gradients(net.handle, &values, 0, 1, &norm))
        #expect(norm == 0)
        norm = 7
        try check(backbone_clip_gradients(net.handle, nil, 0, 1, &norm))
        expectFailure(backbone_clip_gradients(net.handle, nil, 0, -1, &norm), Self.invalid, "max_norm is -1")
        #expect(norm == 0)
        expectFailure(backbone_clip_gradients(net.handle, &values, 4, -1, &norm), Self.invalid, "max_norm is -1")
        expectFailure(backbone_clip_gradients(net.handle, &values, 4, .nan, &norm), Self.invalid, "max_norm is nan")
        expectFailure(backbone_clip_gradients(net.handle, nil, 4, 1, &norm), Self.invalid, "gradients is NULL")
        expectFailure(backbone_clip_gradients(net.handle, &values, -1, 1, &norm), Self.invalid, "count is")
        #expect(norm == 0)
    }
}
