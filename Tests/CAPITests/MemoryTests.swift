// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Checkpoints in memory through the C functions: the same as those of files. What is in them is the matter of
/// CheckpointsTests.
struct MemoryTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures").path
    private static let files = ["models", "checkpoints"].flatMap { name in
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? [])
            .filter { !$0.hasSuffix(".txt") && !$0.hasSuffix(".bin") && !$0.hasSuffix(".npz") }.sorted()
            .map { "\(name)/\($0)" }
    }

    /// What a call left: its status, its message without the name of the file, and the report as JSON.
    private struct Outcome: Equatable {
        var status: backbone_status
        var message = ""
        var report: String?
        var weights: [String: [UInt8]]?
    }

    private func outcome(
        naming name: String, _ call: (UnsafeMutablePointer<OpaquePointer?>) throws -> backbone_status
    ) rethrows -> Outcome {
        var report: OpaquePointer? = OpaquePointer(bitPattern: 1)
        var outcome = Outcome(status: try call(&report))
        if outcome.status != 0 {
            let message = String(cString: backbone_last_error_message())
            #expect(message.hasPrefix(name + ": "), "\(message)")
            // Both end where a message is full.
            outcome.message = String(message.dropFirst(name.count).prefix(250))
        }
        if let report {
            var text: UnsafePointer<CChar>?
            #expect(backbone_report_to_json(report, &text) == 0)
            outcome.report = text.map { String(cString: $0) }
        }
        backbone_report_free(report)
        return outcome
    }

    @Test func everyFixtureIsWhatTheFileIs() throws {
        #expect(MemoryTests.files.count > 150)
        let net = try Net(depth: 18, baseChannels: 8)
        for file in MemoryTests.files {
            let path = MemoryTests.folder + "/" + file
            // Data(contentsOf:) leaks where a file is empty, which the leak sanitizer sees.
            let bytes = try #require(FileHandle(forReadingAtPath: path)).readToEnd() ?? Data()
            let inMemory = "memory of \(bytes.count) bytes"
            try bytes.withUnsafeBytes { bytes in
                // Without a byte the address may be NULL.
                let (data, size) = (bytes.baseAddress, bytes.count)
                let loaded = try outcome(naming: inMemory) { report in
                    try check(backbone_init_weights(net.handle, 4))
                    return backbone_load_weights_from_memory(net.handle, data, size, nil, report)
                }
                let weights = try net.snapshot()
                let loadedFile = try outcome(naming: path) { report in
                    try check(backbone_init_weights(net.handle, 4))
                    return backbone_load_weights_with(net.handle, path, nil, report)
                }
                #expect(loaded == loadedFile, "\(file)")
                #expect(try net.snapshot() == weights, "\(file)")

                let inspected = outcome(naming: inMemory) { backbone_inspect_memory(data, size, nil, $0) }
                #expect(inspected == outcome(naming: path) { backbone_inspect(path, nil, $0) }, "\(file)")

                var options = defaultOptions()
                options.threads = 1
                typealias Out = UnsafeMutablePointer<OpaquePointer?>
                func created(naming name: String, _ call: (Out, Out) -> backbone_status) throws -> Outcome {
                    var net: OpaquePointer?
                    var result = outcome(naming: name) { call(&net, $0) }
                    #expect((net != nil) == (result.status == 0), "\(file)")
                    if let net { result.weights = try Net(adopting: net).snapshot() }
                    return result
                }
                let fromMemory = try created(naming: inMemory) {
                    backbone_create_from_memory(data, size, &options, nil, $0, $1)
                }
                let fromFile = try created(naming: path) {
                    backbone_create_from_file(path, &options, nil, $0, $1)
                }
                #expect(fromMemory == fromFile, "\(file)")
            }
        }
    }

    @Test func badArguments() throws {
        let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
        let net = try Net()
        let bytes: [UInt8] = [1, 2, 3]
        var report: OpaquePointer? = OpaquePointer(bitPattern: 1)
        var created: OpaquePointer? = OpaquePointer(bitPattern: 1)
        expectFailure(backbone_load_weights_from_memory(nil, bytes, 3, nil, &report), invalid, "net is NULL")
        #expect(report == nil)
        expectFailure(
            backbone_load_weights_from_memory(net.handle, nil, 3, nil, nil), invalid, "data is NULL", "size is 3")
        expectFailure(backbone_inspect_memory(bytes, 3, nil, nil), invalid, "out_report is NULL")
        expectFailure(backbone_inspect_memory(nil, 3, nil, &report), invalid, "data is NULL")
        expectFailure(backbone_create_from_memory(bytes, 3, nil, nil, nil, nil), invalid, "out is NULL")
        expectFailure(backbone_create_from_memory(nil, 3, nil, nil, &created, nil), invalid, "data is NULL")
        #expect(created == nil)
        // More than the positive numbers of an Int, which C's size_t has room for.
        for (size, text) in [(-1, "18446744073709551615"), (Int.min, "9223372036854775808")] {
            expectFailure(backbone_load_weights_from_memory(net.handle, bytes, size, nil, nil), invalid, text)
            expectFailure(backbone_inspect_memory(bytes, size, nil, &report), invalid, text)
            expectFailure(backbone_create_from_memory(bytes, size, nil, nil, &created, nil), invalid, text)
        }
        var options = backbone_load_options()
        options.struct_size = 7
        expectFailure(backbone_load_weights_from_memory(net.handle, bytes, 3, &options, nil), invalid, "struct_size")
        expectFailure(
            backbone_load_weights_from_memory(net.handle, nil, 0, nil, nil), Int(BACKBONE_STATUS_BAD_CHECKPOINT),
            "memory of 0 bytes: the file is empty")
    }
}
