// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// Loading with options, and what files say of themselves, through the C functions. The names are the matter of
/// CheckpointsTests and the Python tests.
struct LoadOptionsTests {
    private let invalid = Int(BACKBONE_STATUS_INVALID_ARGUMENT)
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "backbone-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    private func options() throws -> backbone_load_options {
        var options = backbone_load_options()
        memset(&options, 0xff, MemoryLayout<backbone_load_options>.size)
        try check(backbone_load_options_init(&options, MemoryLayout<backbone_load_options>.size))
        return options
    }

    private func property(_ report: OpaquePointer?, _ property: Int) throws -> String {
        var text: UnsafePointer<CChar>?
        try check(backbone_report_get_property(report, Int32(property), &text))
        return String(cString: try #require(text))
    }

    @Test func defaultsAndSizes() throws {
        let size = MemoryLayout<backbone_load_options>.size
        #expect(size == 64)
        let defaults = try options()
        #expect(defaults.struct_size == UInt32(size) && defaults.strict == 0 && defaults.input_channels == 0)
        #expect(defaults.key == nil && defaults.prefix == nil && defaults.channel_map == nil)
        #expect(defaults.allow_missing == 0 && defaults.ignore_modules == 0 && defaults.max_stream_bytes == 0)
        var options = backbone_load_options()
        expectFailure(backbone_load_options_init(nil, size), invalid, "options is NULL")
        for bad in [0, 39, 4097, -1] {
            expectFailure(backbone_load_options_init(&options, bad), invalid, "struct_size", "backbone_load_options")
        }
        let net = try Net()
        for bad in [0, 39, 4097] as [UInt32] {
            options = try self.options()
            options.struct_size = bad
            expectFailure(backbone_load_weights_with(net.handle, "x", &options, nil), invalid, "struct_size")
        }
        // A newer program's larger struct is taken if what this library does not know is zero.
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 72, alignment: 8)
        defer { memory.deallocate() }
        let larger = memory.assumingMemoryBound(to: backbone_load_options.self)
        try check(backbone_load_options_init(larger, 72))
        let absent = Int(BACKBONE_STATUS_FILE_NOT_FOUND)
        expectFailure(backbone_load_weights_with(net.handle, path("absent"), larger, nil), absent, "absent")
        memory.storeBytes(of: 1, toByteOffset: 71, as: UInt8.self)
        expectFailure(backbone_load_weights_with(net.handle, path("absent"), larger, nil), invalid, "byte 71 is set")
    }

    /// Programs from before streams pass a shorter struct; the bound is that of the default.
    @Test func theBoundOfAStreamIsThatOfTheOptions() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let net = try Net()
        try check(backbone_save_weights(net.handle, path("net")))
        let size = try Data(contentsOf: URL(fileURLWithPath: path("net"))).count
        mkfifo(path("pipe"), 0o600)
        func load(_ options: backbone_load_options) -> backbone_status {
            var options = options
            let (from, to) = (path("net"), path("pipe"))
            let writer = Thread {
                signal(SIGPIPE, SIG_IGN)
                let file = fopen(to, "w")
                let bytes = (try? Data(contentsOf: URL(fileURLWithPath: from))) ?? Data()
                _ = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
                fclose(file)
            }
            writer.start()
            let status = backbone_load_weights_with(net.handle, path("pipe"), &options, nil)
            while !writer.isFinished { usleep(1000) }
            return status
        }
        var options = try self.options()
        #expect(load(options) == backbone_status(BACKBONE_STATUS_OK))
        for (most, status) in [(size, BACKBONE_STATUS_OK), (size - 1, BACKBONE_STATUS_IO)] {
            options.max_stream_bytes = UInt64(most)
            #expect(load(options) == backbone_status(status))
        }
        options.max_stream_bytes = .max
        #expect(load(options) == backbone_status(BACKBONE_STATUS_OK))
        options.max_stream_bytes = 1
        options.struct_size = 40
        #expect(load(options) == backbone_status(BACKBONE_STATUS_OK))
    }

    @Test func badOptions() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let net = try Net()
        try check(backbone_save_weights(net.handle, path("net")))
        let before = try net.snapshot()
        func expectRefused(_ culprit: String, _ change: (inout backbone_load_options) -> Void) throws {
            var options = try self.options()
            change(&options)
            var report: OpaquePointer? = OpaquePointer(bitPattern: 1)
            expectFailure(backbone_load_weights_with(net.handle, path("net"), &options, &report), invalid, culprit)
            #expect(report == nil)
        }
        try expectRefused("strict is 2") { $0.strict = 2 }
        for value in [2, -1] as [Int32] {
            try expectRefused("allow_missing is \(value)") { $0.allow_missing = value }
            try expectRefused("ignore_modules is \(value)") { $0.ignore_modules = value }
        }
        try expectRefused("input_channels is 5") { $0.input_channels = 5 }
        try expectRefused("input_channels is -1") { $0.input_channels = -1 }
        try expectRefused("channel_map is NULL") { $0.input_channels = 3 }
        try expectRefused("channel_map is set") { $0.channel_map_length = 3 }
        let map: [Int32] = [0, 1, 2]
        try map.withUnsafeBufferPointer { map in
            try expectRefused("channel_map is set") { $0.channel_map = map.baseAddress }
            for length in [2, 0, -1, Int32.min] {
                try expectRefused("channel_map_length") {
                    ($0.input_channels, $0.channel_map, $0.channel_map_length) = (3, map.baseAddress, length)
                }
            }
        }
        try "other".withCString { text in
            try expectRefused("'other'") { $0.key = text }
            try expectRefused("'other.'") { $0.prefix = text }
        }
        expectFailure(backbone_load_weights_with(nil, path("net"), nil, nil), invalid, "net is NULL")
        expectFailure(backbone_load_weights_with(net.handle, nil, nil, nil), invalid, "path is NULL")
        #expect(try net.snapshot() == before)
        try check(backbone_load_weights_with(net.handle, path("net"), nil, nil))
    }

    /// A stem for three channels in a network for two: one zero, one the file's third.
    @Test func mappedChannels() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (source, target) = (try Net(), try Net { $0.in_channels = 2 })
        try check(backbone_init_weights(source.handle, 3))
        try check(backbone_save_weights(source.handle, path("net")))
        let map: [Int32] = [-1, 2]
        var options = try self.options()
        options.strict = 1
        options.input_channels = Int32(BACKBONE_INPUT_CHANNELS_MAP)
        options.channel_map_length = 2
        var report: OpaquePointer?
        try map.withUnsafeBufferPointer { map in
            options.channel_map = map.baseAddress
            try check(backbone_load_weights_with(target.handle, path("net"), &options, &report))
        }
        defer { backbone_report_free(report) }
        let (theirs, ours) = (try source.read("conv1.weight"), try target.read("conv1.weight"))
        for output in 0..<4 {
            #expect(ours[98 * output..<98 * output + 49].allSatisfy { $0 == 0 })
            #expect(
                Array(ours[98 * output + 49..<98 * output + 98])
                    == Array(theirs[147 * output + 98..<147 * output + 147]))
        }
        #expect(try target.read("layer4.1.conv2.weight") == source.read("layer4.1.conv2.weight"))
        #expect(try property(report, Int(BACKBONE_REPORT_INPUT_CONVERSION)) == "map")
        #expect(try property(report, Int(BACKBONE_REPORT_INPUT_CHANNELS)) == "3")
    }

    @Test func inspectAndCreate() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let source = try Net(depth: 34, baseChannels: 3) { $0.in_channels = 5 }
        try check(backbone_init_weights(source.handle, 9))
        try check(backbone_save_weights(source.handle, path("net")))
        var report: OpaquePointer?
        try check(backbone_inspect(path("net"), nil, &report))
        let expected = ["safetensors", "", "", "torchvision", "34", "3", "5", "float32", "pytorch", "", "216"]
        #expect(try (0..<11).map { try property(report, $0) } == expected)
        var count = 0
        try check(backbone_report_count(report, Int32(BACKBONE_REPORT_LOADED), &count))
        #expect(count == 216)
        try check(backbone_report_warning_count(report, &count))
        #expect(count == 0)
        var text: UnsafePointer<CChar>?
        try check(backbone_report_to_json(report, &text))
        let json = try JSONSerialization.jsonObject(with: Data(String(cString: try #require(text)).utf8))
        let names = try #require((json as? [String: Any])?["names"] as? [String: [[String: Any]]])
        #expect(names["loaded"]?.count == 216 && names["missing"]?.isEmpty == true)
        expectFailure(backbone_report_get_warning(report, 0, &text), invalid, "index is 0")
        expectFailure(backbone_report_get_warning(report, -1, &text), invalid, "index is -1")
        expectFailure(backbone_report_get_warning(nil, 0, &text), invalid, "report is NULL")
        expectFailure(backbone_report_get_warning(report, 0, nil), invalid, "out is NULL")
        expectFailure(backbone_report_warning_count(nil, &count), invalid, "report is NULL")
        expectFailure(backbone_report_warning_count(report, nil), invalid, "out is NULL")
        expectFailure(backbone_report_to_json(nil, &text), invalid, "report is NULL")
        expectFailure(backbone_report_to_json(report, nil), invalid, "out is NULL")
        backbone_report_free(report)

        var net: OpaquePointer?
        var options = defaultOptions()
        options.frozen_stages = 2
        try check(backbone_create_from_file(path("net"), &options, nil, &net, &report))
        var now = defaultOptions()
        try check(backbone_get_options(net, &now))
        #expect((now.depth, now.in_channels, now.base_channels, now.frozen_stages) == (34, 5, 3, 2))
        #expect(now.style == 0 && now.norm_eps == 1e-5)
        var size = 0
        try check(backbone_find_entry(net, "layer4.2.bn2.weight", &size))
        backbone_report_free(report)
        backbone_free(net)

        // Means for three channels do not fit the file's five.
        let means = [Float](repeating: 1, count: 3)
        try means.withUnsafeBufferPointer { means in
            options.mean = means.baseAddress
            expectFailure(
                backbone_create_from_file(path("net"), &options, nil, &net, nil), invalid, "in_channels is 3",
                "expected 5")
            #expect(net == nil)
            // With a conversion the caller's number of channels holds.
            var load = try self.options()
            load.input_channels = Int32(BACKBONE_INPUT_CHANNELS_REPEAT)
            try check(backbone_create_from_file(path("net"), &options, &load, &net, nil))
            backbone_free(net)
        }
        net = OpaquePointer(bitPattern: 1)
        report = OpaquePointer(bitPattern: 1)
        let absent = Int(BACKBONE_STATUS_FILE_NOT_FOUND)
        expectFailure(backbone_create_from_file(path("absent"), nil, nil, &net, &report), absent, "absent")
        #expect(net == nil && report == nil)
        report = OpaquePointer(bitPattern: 1)
        expectFailure(backbone_inspect(path("absent"), nil, &report), absent, "absent")
        #expect(report == nil)
        expectFailure(backbone_inspect(nil, nil, &report), invalid, "path is NULL")
        expectFailure(backbone_inspect(path("net"), nil, nil), invalid, "out_report is NULL")
        expectFailure(backbone_create_from_file(nil, nil, nil, &net, nil), invalid, "path is NULL")
        expectFailure(backbone_create_from_file(path("net"), nil, nil, nil, nil), invalid, "out is NULL")
    }

    /// In older structs `head` does not exist; a newer one says what it may be.
    @Test func headOption() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let net = try Net()
        try check(backbone_save_weights(net.handle, path("net")))
        var options = try self.options()
        (options.head, options.reserved) = (77, 78)
        for size in [40, 48, 56] as [UInt32] {
            options.struct_size = size
            try check(backbone_load_weights_with(net.handle, path("net"), &options, nil))
        }
        options.struct_size = 64
        expectFailure(backbone_load_weights_with(net.handle, "net", &options, nil), invalid, "reserved is 78")
        options.reserved = 0
        expectFailure(backbone_load_weights_with(net.handle, "net", &options, nil), invalid, "head is 77")
    }

    /// Programs compiled against older headers pass smaller structs, in which style and norm_eps do not exist.
    @Test func olderOptions() throws {
        for size in [56, 64] as [UInt32] {
            var options = defaultOptions()
            (options.struct_size, options.base_channels) = (size, 4)
            // Is after the stated end.
            (options.norm_eps, options.reserved) = (-1, 7)
            var net: OpaquePointer?
            try check(backbone_create(&options, &net))
            var now = defaultOptions()
            now.norm_eps = 0
            try check(backbone_get_options(net, &now))
            #expect(now.style == 0 && now.norm_eps == 1e-5)
            backbone_free(net)
        }
    }
}
