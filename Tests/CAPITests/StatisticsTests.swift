// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Testing

/// Statistics of BatchNorms from new images.
struct StatisticsTests {
    private static let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
    private static let shape: [Int64] = [2, 3, 40, 36]
    private static func images(_ seed: UInt64) -> [Float] { randomNumbers(2 * 3 * 40 * 36, seed: seed) }

    private func addStatus(_ net: Net, _ images: [Float], _ shape: [Int64]) -> backbone_status {
        var images = images
        return images.withUnsafeMutableBytes { bytes in
            var tensor = backbone_tensor(bytes.baseAddress, shape: shape, strides: contiguous(shape))
            return backbone_statistics_add(net.handle, &tensor)
        }
    }

    private func add(_ net: Net, _ images: [Float], _ shape: [Int64] = shape) throws {
        try check(addStatus(net, images, shape))
    }

    /// Of one batch they are what a forward pass in training mode sees, of which that takes a tenth.
    @Test(arguments: [0, 1] as [Int32]) func oneBatchGivesItsStatistics(normEval: Int32) throws {
        let trained = try Net()
        try check(backbone_set_training(trained.handle, 1))
        _ = try trained.forward(Self.images(5), shape: Self.shape)

        let net = try Net { $0.norm_eval = normEval }
        try check(backbone_statistics_begin(net.handle))
        try add(net, Self.images(5))
        try check(backbone_statistics_commit(net.handle))
        for name in try net.entryNames() {
            if name.hasSuffix("running_mean") {
                expectClose(try net.read(name).map { 0.1 * $0 }, try trained.read(name), 1e-5)
            } else if name.hasSuffix("running_var") {
                expectClose(try net.read(name).map { 0.9 + 0.1 * $0 }, try trained.read(name), 1e-5)
            } else if name.hasSuffix("tracked") {
                #expect(try net.batchesTracked(name) == 1)
            } else {
                #expect(try net.read(name) == trained.read(name))
            }
        }
    }

    /// Before the first BatchNorm nothing depends on the batch: those of batches together are those of one large batch.
    @Test func batchesCountByTheirValues() throws {
        let (first, second) = (Self.images(1), Self.images(2).map { 3 * $0 + 1 })
        let apart = try Net { $0.frozen_stages = -1 }
        try check(backbone_statistics_begin(apart.handle))
        try add(apart, first)
        try add(apart, Array(second[..<(second.count / 2)]), [1, 3, 40, 36])
        try check(backbone_statistics_commit(apart.handle))
        let together = try Net()
        try check(backbone_statistics_begin(together.handle))
        try add(together, first + second[..<(second.count / 2)], [3, 3, 40, 36])
        try check(backbone_statistics_commit(together.handle))
        for name in ["bn1.running_mean", "bn1.running_var"] {
            expectClose(try apart.read(name), try together.read(name), 1e-5)
        }
        #expect(try apart.batchesTracked("bn1.num_batches_tracked") == 2)
        #expect(try together.batchesTracked("bn1.num_batches_tracked") == 1)
    }

    @Test func nothingChangesBeforeTheCommit() throws {
        let net = try Net()
        let expected = try net.forward(Self.images(3), shape: Self.shape)
        let before = try net.snapshot()
        try check(backbone_statistics_begin(net.handle))
        for mode in [0, 1] as [Int32] {
            try check(backbone_set_training(net.handle, mode))
            try add(net, Self.images(4))
            #expect(try net.snapshot() == before)
            try check(backbone_set_training(net.handle, 0))
            #expect(try net.forward(Self.images(3), shape: Self.shape) == expected)
        }
        try check(backbone_statistics_cancel(net.handle))
        expectFailure(backbone_statistics_commit(net.handle), Self.invalid, "backbone_statistics_begin")
        #expect(try net.snapshot() == before)

        // A pass that trains in between counts for the running statistics alone.
        let tape = try Net.small()
        try check(backbone_statistics_begin(tape.handle))
        try add(tape, Self.images(4))
        try check(backbone_set_training(tape.handle, 1))
        _ = try tape.gradients()
        #expect(try tape.batchesTracked("bn1.num_batches_tracked") == 1)
        try check(backbone_statistics_commit(tape.handle))
        #expect(try tape.batchesTracked("bn1.num_batches_tracked") == 2)
        let once = try Net.small()
        try check(backbone_statistics_begin(once.handle))
        try add(once, Self.images(4))
        try check(backbone_statistics_commit(once.handle))
        #expect(try once.read("layer4.1.bn2.running_var") == tape.read("layer4.1.bn2.running_var"))
    }

    @Test func theCommitIsWhatInferenceComputesWith() throws {
        let net = try Net()
        let before = try net.forward(Self.images(3), shape: Self.shape)
        try check(backbone_statistics_begin(net.handle))
        try add(net, Self.images(4))
        try check(backbone_statistics_commit(net.handle))
        let after = try net.forward(Self.images(3), shape: Self.shape)
        #expect(before != after)
        let other = try Net()
        for name in try net.entryNames() where name.contains("running") { try other.write(name, try net.read(name)) }
        #expect(try other.forward(Self.images(3), shape: Self.shape) == after)
    }

    @Test func frozenStagesKeepTheirs() throws {
        let net = try Net()
        try check(backbone_freeze(net.handle, 2))
        let before = try net.snapshot()
        try check(backbone_statistics_begin(net.handle))
        try add(net, Self.images(4))
        try check(backbone_freeze(net.handle, 3))
        try check(backbone_statistics_commit(net.handle))
        let after = try net.snapshot()
        for name in try net.entryNames() {
            let isCollected = name.hasPrefix("layer4") && (name.contains("running") || name.contains("tracked"))
            #expect((before[name] == after[name]) != isCollected, "\(name)")
        }
    }

    @Test func errors() throws {
        let net = try Net()
        expectFailure(addStatus(net, Self.images(1), Self.shape), Self.invalid, "backbone_statistics_begin")
        expectFailure(backbone_statistics_commit(net.handle), Self.invalid, "backbone_statistics_begin")
        try check(backbone_statistics_cancel(net.handle))
        try check(backbone_statistics_begin(net.handle))
        expectFailure(backbone_statistics_commit(net.handle), Self.invalid, "no images")
        expectFailure(addStatus(net, [], [0, 3, 40, 36]), Self.invalid, "N must be 1")
        expectFailure(addStatus(net, Self.images(1), [2, 4, 20, 36]), Self.invalid, "C is")
        expectFailure(backbone_statistics_add(net.handle, nil), Self.invalid, "input is NULL")
        // One value per channel in the last stage.
        expectFailure(addStatus(net, randomNumbers(3 * 32 * 32, seed: 1), [1, 3, 32, 32]), Self.invalid, "layer4")
        expectFailure(backbone_statistics_commit(net.handle), Self.invalid, "no images")
        try add(net, Self.images(1))
        try check(backbone_statistics_begin(net.handle))
        expectFailure(backbone_statistics_commit(net.handle), Self.invalid, "no images")
        try check(backbone_freeze(net.handle, 4))
        expectFailure(backbone_statistics_begin(net.handle), Self.invalid, "no BatchNorm")
        expectFailure(addStatus(net, Self.images(1), Self.shape), Self.invalid, "no BatchNorm")
        let group = try Net(baseChannels: 32) { $0.norm = Int32(BACKBONE_NORM_GROUP) }
        expectFailure(backbone_statistics_begin(group.handle), Self.invalid, "no BatchNorm")
    }
}
