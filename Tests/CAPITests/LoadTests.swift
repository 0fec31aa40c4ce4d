// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Saving and loading through the C functions. What is in a file is the matter of CheckpointsTests.
struct LoadTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "backbone-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    /// Loads and gives the names of each class of the report.
    private func load(_ net: Net, _ path: String, strict: Int32 = 0, allowMissing: Int32 = 0) throws -> [[String]] {
        var report: OpaquePointer?
        var options = backbone_load_options()
        try check(backbone_load_options_init(&options, MemoryLayout<backbone_load_options>.size))
        (options.strict, options.allow_missing) = (strict, allowMissing)
        let status =
            allowMissing == 0
            ? backbone_load_weights(net.handle, path, strict, &report)
            : backbone_load_weights_with(net.handle, path, &options, &report)
        let message = String(cString: backbone_last_error_message())
        defer { backbone_report_free(report) }
        #expect((report != nil) == (status == 0 || status == Int32(BACKBONE_STATUS_MISMATCH)))
        guard status == 0 else { throw StatusError(status: status, message: message) }
        return try names(report)
    }

    private func names(_ report: OpaquePointer?) throws -> [[String]] {
        try (0..<5 as Range<Int32>).map { nameClass in
            var count = 0
            try check(backbone_report_count(report, nameClass, &count))
            return try (0..<count).map { index in
                var entry = backbone_report_entry()
                try check(backbone_report_get_entry(report, nameClass, index, &entry))
                return String(cString: entry.name)
            }
        }
    }

    @Test(arguments: [18, 50] as [Int32])
    func savedWeightsComeBack(depth: Int32) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (source, target) = (try Net(depth: depth), try Net(depth: depth))
        try check(backbone_init_weights(source.handle, 5))
        try ForwardTests.withSensibleNorms(source)
        try check(backbone_set_training(source.handle, 1))
        let input = randomNumbers(2 * 3 * 40 * 40, seed: 1)
        _ = try source.forward(input, shape: [2, 3, 40, 40])
        try check(backbone_set_training(source.handle, 0))
        try check(backbone_save_weights(source.handle, path("net.safetensors")))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["net.safetensors"])

        // After a freeze and during forward passes: neither hinders a load.
        try check(backbone_freeze(target.handle, 2))
        _ = try target.forward(input, shape: [2, 3, 40, 40])
        let report = try load(target, path("net.safetensors"), strict: 1)
        #expect(report == [try source.entryNames(), [], [], [], []])
        #expect(try target.snapshot() == source.snapshot())
        #expect(
            try target.forward(input, shape: [2, 3, 40, 40]) == source.forward(input, shape: [2, 3, 40, 40]))
        #expect(try target.batchesTracked("bn1.num_batches_tracked") == 1)
        #expect(try target.entry("conv1.weight").trainable == 0)
    }

    /// A network that ends earlier takes what it has of a whole one; parts that it does not build have no effect.
    @Test func truncatedNetworkIgnoresLaterStages() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let whole = try Net()
        let part = try Net { $0.out_stages = 3 }
        try check(backbone_init_weights(whole.handle, 8))
        try check(backbone_save_weights(whole.handle, path("whole")))
        try check(backbone_save_weights(part.handle, path("part")))
        let saved = try part.snapshot()
        let later = try whole.entryNames().filter { $0.hasPrefix("layer3.") || $0.hasPrefix("layer4.") }
        let report = try load(part, path("whole"), strict: 1)
        #expect(report[0] == (try part.entryNames()))
        #expect(report[3].sorted() == later.sorted())
        #expect(try part.read("layer2.1.conv2.weight") == whole.read("layer2.1.conv2.weight"))

        // The other way round exactly the later stages are missing; their statistics' counts are not missed.
        let before = try whole.snapshot()
        for strict in [0, 1] as [Int32] {
            #expect(throws: StatusError.self) { try load(whole, path("part"), strict: strict) }
            #expect(String(cString: backbone_last_error_message()).contains("layer3.0.conv1.weight"))
            #expect(try whole.snapshot() == before)
        }
        for strict in [0, 1] as [Int32] {
            let partial = try load(whole, path("part"), strict: strict, allowMissing: 1)
            #expect(partial[1] == later.filter { !$0.hasSuffix("num_batches_tracked") })
            #expect(partial[3] == later.filter { $0.hasSuffix("num_batches_tracked") })
        }
        let after = try whole.snapshot()
        #expect(after["layer2.1.conv2.weight"] == saved["layer2.1.conv2.weight"])
        #expect(later.allSatisfy { after[$0] == before[$0] })
    }

    /// Shapes that would broadcast are refused, all of them listed, and nothing has changed.
    @Test func mismatchChangesNothing() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let gray = try Net { $0.in_channels = 1 }
        let net = try Net()
        try check(backbone_init_weights(gray.handle, 3))
        try check(backbone_save_weights(gray.handle, path("gray")))
        let before = try net.snapshot()
        let input = randomNumbers(3 * 33 * 33, seed: 1)
        let features = try net.forward(input, shape: [1, 3, 33, 33])
        var report: OpaquePointer?
        expectFailure(
            backbone_load_weights(net.handle, path("gray"), 0, &report), Int(BACKBONE_STATUS_MISMATCH), "conv1.weight",
            "[4, 1, 7, 7]", "[4, 3, 7, 7]", path("gray"))
        var entry = backbone_report_entry()
        try check(backbone_report_get_entry(report, Int32(BACKBONE_REPORT_MISMATCHED), 0, &entry))
        #expect(String(cString: entry.name) == "conv1.weight")
        #expect(entry.expected_ndim == 4 && entry.actual_ndim == 4)
        #expect(entry.expected_shape.1 == 3 && entry.actual_shape.1 == 1)
        #expect(try names(report)[4] == ["conv1.weight"])
        // Reports outlive what they were made of, and check their own arguments.
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        var count = 0
        var text: UnsafePointer<CChar>?
        expectFailure(backbone_report_count(report, 5, &count), invalid, "name_class is 5")
        expectFailure(backbone_report_count(report, -1, &count), invalid, "name_class is -1")
        expectFailure(backbone_report_count(report, 0, nil), invalid, "out is NULL")
        expectFailure(backbone_report_count(nil, 0, &count), invalid, "report is NULL")
        expectFailure(backbone_report_get_entry(report, 4, 1, &entry), invalid, "index is 1")
        expectFailure(backbone_report_get_entry(report, 4, -1, &entry), invalid, "index is -1")
        expectFailure(backbone_report_get_entry(report, 9, 0, &entry), invalid, "name_class is 9")
        expectFailure(backbone_report_get_entry(nil, 4, 0, &entry), invalid, "report is NULL")
        expectFailure(backbone_report_get_entry(report, 4, 0, nil), invalid, "out is NULL")
        expectFailure(backbone_report_get_property(report, 15, &text), invalid, "property is 15")
        expectFailure(backbone_report_get_property(nil, 0, &text), invalid, "report is NULL")
        expectFailure(backbone_report_get_property(report, 0, nil), invalid, "out is NULL")
        try check(backbone_report_get_property(report, 0, &text))
        #expect(String(cString: try #require(text)) == "safetensors")
        backbone_report_free(report)
        backbone_report_free(nil)
        #expect(try net.snapshot() == before)
        #expect(try net.forward(input, shape: [1, 3, 33, 33]) == features)
    }

    @Test func badFilesAndArguments() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let net = try Net()
        let before = try net.snapshot()
        try Data().write(to: URL(fileURLWithPath: path("empty")))
        try Data("not a checkpoint at all".utf8).write(to: URL(fileURLWithPath: path("text")))
        var report: OpaquePointer? = OpaquePointer(bitPattern: 1)
        func expectRefused(_ path: String, _ status: Int) {
            expectFailure(backbone_load_weights(net.handle, path, 0, &report), status, path)
            #expect(report == nil)
            report = OpaquePointer(bitPattern: 1)
        }
        expectRefused(path("missing"), Int(BACKBONE_STATUS_FILE_NOT_FOUND))
        expectRefused(path("missing/folder"), Int(BACKBONE_STATUS_FILE_NOT_FOUND))
        expectRefused(folder, Int(BACKBONE_STATUS_IO))
        expectRefused(path("empty"), Int(BACKBONE_STATUS_BAD_CHECKPOINT))
        expectRefused(path("text"), Int(BACKBONE_STATUS_BAD_CHECKPOINT))
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        expectFailure(backbone_load_weights(net.handle, nil, 0, nil), invalid, "path is NULL")
        expectFailure(backbone_load_weights(nil, "x", 0, nil), invalid, "net is NULL")
        expectFailure(backbone_load_weights(net.handle, "x", 2, nil), invalid, "strict is 2")
        expectFailure(backbone_save_weights(nil, "x"), invalid, "net is NULL")
        expectFailure(backbone_save_weights(net.handle, nil), invalid, "path is NULL")
        expectFailure(
            backbone_save_weights(net.handle, path("missing/net")), Int(BACKBONE_STATUS_FILE_NOT_FOUND),
            path("missing/net"))
        #expect(backbone_save_weights(net.handle, folder) != 0)
        #expect(try net.snapshot() == before)
        #expect(Set(try FileManager.default.contentsOfDirectory(atPath: folder)) == ["empty", "text"])
    }

    /// Loads while other threads compute: every result belongs to one of the two checkpoints, none to a mixture.
    @Test func loadsConcurrentWithForwards() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let net = try Net()
        let input = randomNumbers(3 * 32 * 32, seed: 6)
        var expected: [[[Float]]] = []
        for seed in 1...2 as ClosedRange<UInt64> {
            try check(backbone_init_weights(net.handle, seed))
            try check(backbone_save_weights(net.handle, path("\(seed)")))
            expected.append(try net.forward(input, shape: [1, 3, 32, 32]))
        }
        let (results, failures) = (expected, Counter())
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<12 {
                if thread == 0 {
                    if backbone_load_weights(net.handle, path("\(round % 2 + 1)"), 1, nil) != 0 { failures.add() }
                } else if let actual = try? net.forward(input, shape: [1, 3, 32, 32]) {
                    if !results.contains(actual) { failures.add() }
                } else {
                    failures.add()
                }
            }
        }
        #expect(failures.value == 0)
    }
}
