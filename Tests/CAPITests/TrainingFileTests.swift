// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// `backbone_save_training` and `backbone_load_training`. States in PyTorch's files are tested in `TrainingTests`.
struct TrainingFileTests {
    private static let kinds = [Int(BACKBONE_OPTIMIZER_SGD), Int(BACKBONE_OPTIMIZER_ADAMW)]

    private func optimizer(_ net: Net, _ kind: Int) throws -> TestOptimizer {
        try TestOptimizer(net, kind) { if kind == 0 { $0.momentum = 0.9 } }
    }

    private func save(_ net: Net, _ optimizer: TestOptimizer, _ file: TemporaryFile) throws {
        try check(backbone_save_training(net.handle, optimizer.handle, file.path, 0.25))
    }

    private func state(_ net: Net, _ optimizer: TestOptimizer) throws -> Data {
        let file = TemporaryFile("state.pth")
        try save(net, optimizer, file)
        return try file.bytes()
    }

    @Test(arguments: kinds) func trainingGoesOnFromAFile(kind: Int) throws {
        let (net, other) = (try Net.small(), try Net.small())
        let first = try optimizer(net, kind)
        for seed in 0..<2 { try net.step(first, randomNumbers(try net.trainableCount(), seed: UInt64(seed))) }
        let file = TemporaryFile("training.pth")
        try save(net, first, file)

        try check(backbone_init_weights(other.handle, 9))
        let second = try optimizer(other, kind)
        var report: OpaquePointer?
        try check(backbone_load_training(other.handle, second.handle, file.path, &report))
        var text: UnsafePointer<CChar>?
        try check(backbone_report_get_property(report, Int32(BACKBONE_REPORT_OPTIMIZER), &text))
        let note = String(cString: try #require(text))
        #expect(note == "optimizer state of the 62 trainable parameters, in the order of the state dict")
        try check(backbone_report_to_json(report, &text))
        #expect(String(cString: try #require(text)).contains("\"optimizer\":"))
        backbone_report_free(report)
        #expect(try net.snapshot() == other.snapshot())
        #expect(try state(net, first) == state(other, second))
        let gradients = randomNumbers(try net.trainableCount(), seed: 7)
        try net.step(first, gradients)
        try other.step(second, gradients)
        #expect(try net.snapshot() == other.snapshot())

        // It is a file of weights as well.
        let third = try Net.small()
        try check(backbone_load_weights(third.handle, file.path, 1, nil))
        try check(backbone_load_training(net.handle, first.handle, file.path, nil))
        #expect(try third.snapshot() == net.snapshot())
    }

    /// Whatever is wrong with a file, neither the network nor its optimiser changes.
    @Test func aFileThatFailsChangesNothing() throws {
        let net = try Net.small()
        let sgd = try optimizer(net, 0)
        try net.step(sgd, randomNumbers(try net.trainableCount(), seed: 1))
        let (before, stateBefore) = (try net.snapshot(), try state(net, sgd))
        func refused(
            _ status: Int, _ culprits: [String], _ path: String, hasReport: Bool = false,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            var report: OpaquePointer?
            let result = backbone_load_training(net.handle, sgd.handle, path, &report)
            for culprit in culprits { expectFailure(result, status, culprit, sourceLocation: sourceLocation) }
            #expect((report != nil) == hasReport, sourceLocation: sourceLocation)
            backbone_report_free(report)
            let after = try net.snapshot()
            #expect(after == before, sourceLocation: sourceLocation)
            let stateAfter = try state(net, sgd)
            #expect(stateAfter == stateBefore, sourceLocation: sourceLocation)
        }
        try refused(Int(BACKBONE_STATUS_FILE_NOT_FOUND), ["/nowhere.pth"], "/nowhere.pth")

        let weights = TemporaryFile("weights.pth")
        try check(backbone_init_weights(net.handle, 3))
        try check(backbone_save_weights(net.handle, weights.path))
        let safetensors = TemporaryFile("weights.safetensors")
        try check(backbone_save_weights(net.handle, safetensors.path))
        for name in before.keys {
            let bytes = try #require(before[name])
            try check(backbone_write_entry(net.handle, try net.index(name), bytes, bytes.count))
        }
        let bad = Int(BACKBONE_STATUS_BAD_CHECKPOINT)
        try refused(bad, ["no optimizer state", weights.path.suffix(20).description], weights.path)
        try refused(bad, ["safetensors", "no optimizer state"], safetensors.path)

        // Another kind of optimiser; parameters of other shapes, in the state or in the weights.
        let other = try Net.small()
        let adam = try optimizer(other, 1)
        try other.step(adam, randomNumbers(try other.trainableCount(), seed: 1))
        let file = TemporaryFile("adam.pth")
        try save(other, adam, file)
        let mismatch = Int(BACKBONE_STATUS_MISMATCH)
        try refused(mismatch, ["exp_avg", "SGD"], file.path)
        let wide = try Net.small { $0.num_classes = 6 }
        let momentum = try optimizer(wide, 0)
        try wide.step(momentum, randomNumbers(try wide.trainableCount(), seed: 1))
        try save(wide, momentum, file)
        try refused(mismatch, ["momentum_buffer", "fc.weight"], file.path)
        let fresh = try optimizer(wide, 0)
        try save(wide, fresh, file)
        try refused(mismatch, ["fc."], file.path, hasReport: true)

        // One byte of the state's numbers is damaged: the last that is read.
        try save(net, sgd, file)
        var bytes = try file.bytes()
        let middle = bytes.count * 3 / 4
        bytes[middle] ^= 0x55
        try bytes.write(to: URL(fileURLWithPath: file.path))
        try refused(bad, ["checksum"], file.path)
    }

    @Test func arguments() throws {
        let net = try Net.small()
        let sgd = try optimizer(net, 0)
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        let file = TemporaryFile("training.pth")
        expectFailure(backbone_save_training(net.handle, sgd.handle, nil, 0), invalid, "path is NULL")
        expectFailure(backbone_save_training(net.handle, nil, file.path, 0), invalid, "optimizer is NULL")
        expectFailure(backbone_save_training(net.handle, sgd.handle, file.path, -1), invalid, "learning_rate is -1")
        expectFailure(
            backbone_save_training(net.handle, sgd.handle, "/tmp/a.safetensors", 0), invalid, ".pth")
        expectFailure(
            backbone_save_training(net.handle, sgd.handle, "/nowhere/a.pth", 0), Int(BACKBONE_STATUS_FILE_NOT_FOUND),
            "/nowhere")
        expectFailure(backbone_load_training(net.handle, sgd.handle, nil, nil), invalid, "path is NULL")
        expectFailure(backbone_load_training(net.handle, nil, file.path, nil), invalid, "optimizer is NULL")
        #expect(!FileManager.default.fileExists(atPath: file.path))
        try save(net, sgd, file)
        try check(backbone_set_trainable(net.handle, Int32(BACKBONE_TRAINABLE_HEAD)))
        expectFailure(
            backbone_load_training(net.handle, sgd.handle, file.path, nil), Int(BACKBONE_STATUS_STALE),
            "backbone_optimizer_follow")
    }
}
