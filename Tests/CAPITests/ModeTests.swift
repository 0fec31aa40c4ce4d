// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Freezing, training mode and the statistics of BatchNorms.
struct ModeTests {
    private let shape: [Int64] = [3, 3, 37, 41]
    private var input: [Float] { randomNumbers(3 * 3 * 37 * 41, seed: 21) }

    private func statistics(_ snapshot: [String: [UInt8]], frozenUpTo stages: Int) -> [String: [UInt8]] {
        snapshot.filter { name, _ in
            guard name.contains("running_") || name.hasSuffix("tracked") else { return false }
            let stage = name.hasPrefix("layer") ? Int(String(name.dropFirst(5).prefix(1))) ?? 9 : 0
            return stage <= stages
        }
    }

    @Test(arguments: -1...4)
    func freezingSetsTheState(stages: Int) throws {
        let net = try Net(depth: 50)
        for first in -1...4 {
            try check(backbone_freeze(net.handle, Int32(first)))
            try check(backbone_freeze(net.handle, Int32(stages)))
            try check(backbone_freeze(net.handle, Int32(stages)))
        }
        for training in [1, 0, 1] as [Int32] {
            try check(backbone_set_training(net.handle, training))
            for name in try net.entryNames() {
                let info = try net.entry(name)
                let stage = name.hasPrefix("layer") ? try #require(Int(String(name.dropFirst(5).prefix(1)))) : 0
                let isParameter = name.hasSuffix(".weight") || name.hasSuffix(".bias")
                let isOfNorm = !(name.contains("conv") || name.contains("downsample.0"))
                #expect(info.is_parameter == (isParameter ? 1 : 0), "\(name)")
                #expect(info.trainable == (isParameter && stage > stages ? 1 : 0), "\(name)")
                #expect(info.batch_statistics == (isOfNorm && stage > stages ? training : 0), "\(name)")
            }
            var options = defaultOptions()
            var mode: Int32 = -1
            try check(backbone_get_options(net.handle, &options))
            try check(backbone_get_training(net.handle, &mode))
            #expect(Int(options.frozen_stages) == stages)
            #expect(mode == training)
        }
    }

    @Test func badModes() throws {
        let net = try Net()
        try check(backbone_freeze(net.handle, 2))
        for stages in [-2, 5, Int32.max, Int32.min] {
            expectFailure(
                backbone_freeze(net.handle, stages), Int(BACKBONE_STATUS_INVALID_ARGUMENT), "frozen_stages is \(stages)"
            )
        }
        for mode in [-1, 2, Int32.max] {
            expectFailure(
                backbone_set_training(net.handle, mode), Int(BACKBONE_STATUS_INVALID_ARGUMENT), "training is \(mode)")
        }
        var options = defaultOptions()
        var mode: Int32 = -1
        try check(backbone_get_options(net.handle, &options))
        try check(backbone_get_training(net.handle, &mode))
        #expect(options.frozen_stages == 2)
        #expect(mode == 0)
    }

    /// Frozen stages neither change their outputs nor their buffers in training mode; the others update theirs.
    @Test(arguments: [18, 50] as [Int32], -1...4)
    func frozenStagesStayAsTheyAre(depth: Int32, stages: Int) throws {
        let net = try Net(depth: depth)
        try ForwardTests.withSensibleNorms(net)
        let evaluated = try net.forward(input, shape: shape)
        let before = try net.snapshot()
        try check(backbone_freeze(net.handle, Int32(stages)))
        try check(backbone_set_training(net.handle, 1))
        let trained = try net.forward(input, shape: shape)
        for stage in 1...4 {
            #expect((trained[stage - 1] == evaluated[stage - 1]) == (stage <= stages), "C\(stage + 1)")
        }
        let after = try net.snapshot()
        #expect(statistics(after, frozenUpTo: stages) == statistics(before, frozenUpTo: stages))
        for (name, values) in after where name.contains("running_") || name.hasSuffix("tracked") {
            let stage = name.hasPrefix("layer") ? Int(String(name.dropFirst(5).prefix(1))) ?? 9 : 0
            #expect((values == before[name]) == (stage <= stages), "\(name)")
        }
        for (name, values) in after where name.hasSuffix(".weight") || name.hasSuffix(".bias") {
            #expect(values == before[name], "\(name)")
        }
    }

    @Test func normEvalUsesRunningStatistics() throws {
        let net = try Net(depth: 50) { $0.norm_eval = 1 }
        try ForwardTests.withSensibleNorms(net)
        let evaluated = try net.forward(input, shape: shape)
        let before = try net.snapshot()
        try check(backbone_set_training(net.handle, 1))
        #expect(try net.forward(input, shape: shape) == evaluated)
        #expect(try net.snapshot() == before)
        for name in try net.entryNames() { #expect(try net.entry(name).batch_statistics == 0) }
        // Affine parameters stay trainable.
        #expect(try net.entry("bn1.weight").trainable == 1)
    }

    /// The stem's statistics against sums in Double over a naive convolution.
    @Test func statisticsOfTheBatch() throws {
        let net = try Net()
        let weights = try net.read("conv1.weight")
        let channels = 4
        let (height, width) = (19, 21)
        var sums = [Double](repeating: 0, count: channels)
        var squares = sums
        var values = [[Double]](repeating: [], count: channels)
        let input = self.input
        for image in 0..<3 {
            for o in 0..<channels {
                for y in 0..<height {
                    for x in 0..<width {
                        var sum = 0.0
                        for i in 0..<3 {
                            for ky in 0..<7 {
                                for kx in 0..<7 {
                                    let (row, column) = (2 * y + ky - 3, 2 * x + kx - 3)
                                    if row < 0 || row >= 37 || column < 0 || column >= 41 { continue }
                                    sum +=
                                        Double(weights[((o * 3 + i) * 7 + ky) * 7 + kx])
                                        * Double(input[((image * 3 + i) * 37 + row) * 41 + column])
                                }
                            }
                        }
                        values[o].append(sum)
                        sums[o] += sum
                    }
                }
            }
        }
        let count = Double(3 * height * width)
        for o in 0..<channels {
            let mean = sums[o] / count
            squares[o] = values[o].map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / (count - 1)
        }
        try check(backbone_set_training(net.handle, 1))
        _ = try net.forward(input, shape: shape)
        let (mean, variance) = (try net.read("bn1.running_mean"), try net.read("bn1.running_var"))
        for o in 0..<channels {
            #expect(abs(Double(mean[o]) - 0.1 * sums[o] / count) < 1e-6)
            #expect(abs(Double(variance[o]) - (0.9 + 0.1 * squares[o])) < 1e-6)
        }
        #expect(try net.batchesTracked("bn1.num_batches_tracked") == 1)
        _ = try net.forward(input, shape: shape)
        #expect(try net.batchesTracked("layer4.1.bn2.num_batches_tracked") == 2)
        let again = try net.read("bn1.running_mean")
        for o in 0..<channels { #expect(abs(Double(again[o]) - 0.19 * sums[o] / count) < 1e-6) }
    }

    @Test func oneValuePerChannelIsAnError() throws {
        let net = try Net()
        try check(backbone_set_training(net.handle, 1))
        let before = try net.snapshot()
        let input = randomNumbers(3 * 32 * 32, seed: 1)
        // The stem has many values, layer4 has one: nothing at all must have changed.
        #expect(throws: StatusError.self) { try net.forward(input, shape: [1, 3, 32, 32]) }
        let message = String(cString: backbone_last_error_message())
        #expect(message.contains("more than 1 value per channel") && message.contains("layer4"), "\(message)")
        #expect(try net.snapshot() == before)
        // Two images, or a frozen layer4, or none of the batch's statistics: fine.
        _ = try net.forward(input + input, shape: [2, 3, 32, 32])
        try check(backbone_freeze(net.handle, 4))
        _ = try net.forward(input, shape: [1, 3, 32, 32])
        let truncated = try Net { $0.out_stages = 7 }
        try check(backbone_set_training(truncated.handle, 1))
        _ = try truncated.forward(input, shape: [1, 3, 32, 32], count: 3)
    }

    /// Training, evaluation, freezing and writing in turn: packed weights never go stale.
    @Test func changesReachTheNextForward() throws {
        let net = try Net(depth: 18)
        try ForwardTests.withSensibleNorms(net)
        let first = try net.forward(input, shape: shape)
        for name in ["conv1.weight", "layer4.1.bn2.weight", "layer2.0.downsample.1.running_var", "bn1.running_mean"] {
            let values = try net.read(name)
            try net.write(name, values.map { $0 * 1.5 + 0.1 })
            #expect(try net.forward(input, shape: shape)[3] != first[3], "\(name)")
            try net.write(name, values)
            #expect(try net.forward(input, shape: shape) == first, "\(name)")
        }
        let before = try net.snapshot()
        try check(backbone_set_training(net.handle, 1))
        _ = try net.forward(input, shape: shape)
        try check(backbone_set_training(net.handle, 0))
        #expect(try net.forward(input, shape: shape)[0] != first[0])
        for (name, values) in before {
            let index = try net.index(name)
            try check(backbone_write_entry(net.handle, index, values, values.count))
        }
        #expect(try net.forward(input, shape: shape) == first)
    }

    @Test func sameStatisticsForEveryThreadCount() throws {
        let nets = try (1...4).map { threads in try Net(depth: 50, baseChannels: 8) { $0.threads = Int32(threads) } }
        var results: [([[Float]], [String: [UInt8]])] = []
        for net in nets {
            try check(backbone_set_training(net.handle, 1))
            results.append((try net.forward(input, shape: shape), try net.snapshot()))
        }
        for result in results.dropFirst() {
            #expect(result.0 == results[0].0)
            #expect(result.1 == results[0].1)
        }
    }
}
