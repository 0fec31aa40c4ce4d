// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Foundation
import Testing

/// A handle for tests, through the C functions alone.
final class Net: @unchecked Sendable {
    let handle: OpaquePointer

    /// A small network: tests look at semantics, not at size.
    init(depth: Int32 = 18, baseChannels: Int32 = 4, _ change: (inout backbone_options) -> Void = { _ in }) throws {
        var options = defaultOptions()
        options.depth = depth
        options.base_channels = baseChannels
        options.threads = 2
        change(&options)
        var created: OpaquePointer?
        try check(backbone_create(&options, &created))
        handle = try #require(created)
    }

    init(adopting handle: OpaquePointer) { self.handle = handle }

    deinit { backbone_free(handle) }

    func outputShapes(_ input: [Int64], count: Int = 4) throws -> [[Int64]] {
        var flat = [Int64](repeating: -7, count: 4 * count)
        try check(backbone_output_shapes(handle, input, &flat, count))
        return (0..<count).map { Array(flat[4 * $0..<4 * $0 + 4]) }
    }

    /// The features of a contiguous NCHW batch, NCHW as well.
    func forward(_ input: [Float], shape: [Int64], count: Int = 4) throws -> [[Float]] {
        let shapes = try outputShapes(shape, count: count)
        var memory = shapes.map { [Float](repeating: .nan, count: Int($0.reduce(1, *))) }
        var image = input
        let status = image.withUnsafeMutableBytes { image in
            withTensors(&memory, shapes) { outputs in
                var tensor = backbone_tensor(image.baseAddress, shape: shape, strides: contiguous(shape))
                return backbone_forward(handle, &tensor, outputs, count)
            }
        }
        try check(status)
        return memory
    }

    func entryNames() throws -> [String] {
        var count = 0
        try check(backbone_entry_count(handle, &count))
        return try (0..<count).map { String(cString: try entry($0).name) }
    }

    func entry(_ index: Int) throws -> backbone_entry_info {
        var info = backbone_entry_info()
        try check(backbone_get_entry_info(handle, index, &info))
        return info
    }

    func entry(_ name: String) throws -> backbone_entry_info { try entry(try index(name)) }

    func index(_ name: String) throws -> Int {
        var index = 0
        try check(backbone_find_entry(handle, name, &index))
        return index
    }

    func read(_ name: String) throws -> [Float] {
        let index = try index(name)
        let info = try entry(index)
        let size = Int(info.shape.0 * info.shape.1 * info.shape.2 * info.shape.3)
        var values = [Float](repeating: .nan, count: size)
        try check(backbone_read_entry(handle, index, &values, 4 * size))
        return values
    }

    func write(_ name: String, _ values: [Float]) throws {
        try check(backbone_write_entry(handle, try index(name), values, 4 * values.count))
    }

    func batchesTracked(_ name: String) throws -> Int64 {
        var value: Int64 = -1
        try check(backbone_read_entry(handle, try index(name), &value, 8))
        return value
    }

    /// All entries as bytes, to see whether anything has changed.
    func snapshot() throws -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for (index, name) in try entryNames().enumerated() {
            let info = try entry(index)
            let elements = Int(info.shape.0 * info.shape.1 * info.shape.2 * info.shape.3)
            var bytes = [UInt8](repeating: 0, count: elements * (info.dtype == Int32(BACKBONE_DTYPE_INT64) ? 8 : 4))
            try check(backbone_read_entry(handle, index, &bytes, bytes.count))
            all[name] = bytes
        }
        return all
    }
}

struct StatusError: Error, CustomStringConvertible {
    let status: backbone_status
    let message: String
    var description: String { "status \(status): \(message)" }
}

func check(_ status: backbone_status) throws {
    if status != backbone_status(BACKBONE_STATUS_OK) {
        throw StatusError(status: status, message: String(cString: backbone_last_error_message()))
    }
}

/// Expects a failure with a status and a message that names the culprit.
func expectFailure(
    _ status: backbone_status, _ expected: Int, _ culprits: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(status == backbone_status(expected), sourceLocation: sourceLocation)
    let message = String(cString: backbone_last_error_message())
    for culprit in culprits {
        #expect(message.contains(culprit), "\(message)", sourceLocation: sourceLocation)
    }
}

func defaultOptions() -> backbone_options {
    var options = backbone_options()
    _ = backbone_options_init(&options, MemoryLayout<backbone_options>.size)
    return options
}

func contiguous(_ shape: [Int64]) -> [Int64] {
    [shape[1] &* shape[2] &* shape[3], shape[2] &* shape[3], shape[3], 1]
}

extension backbone_tensor {
    init(
        _ data: UnsafeMutableRawPointer?, shape: [Int64], strides: [Int64], dtype: Int = Int(BACKBONE_DTYPE_FLOAT32)
    ) {
        self.init(
            data: data, dtype: Int32(dtype), reserved: 0, shape: (shape[0], shape[1], shape[2], shape[3]),
            strides: (strides[0], strides[1], strides[2], strides[3]))
    }
}

/// Calls `body` with contiguous descriptors of arrays.
func withTensors<Result>(
    _ memory: inout [[Float]], _ shapes: [[Int64]], _ body: ([backbone_tensor]) throws -> Result
) rethrows -> Result {
    let blocks = memory.map { UnsafeMutableBufferPointer<Float>.allocate(capacity: max($0.count, 1)) }
    for (block, values) in zip(blocks, memory) { _ = block.initialize(from: values) }
    defer {
        for (index, block) in blocks.enumerated() {
            memory[index] = Array(block.prefix(memory[index].count))
            block.deallocate()
        }
    }
    return try body(
        zip(blocks, shapes).map { backbone_tensor($0.baseAddress, shape: $1, strides: contiguous($1)) })
}

/// Uniform numbers in [-1, 1) from a seed (a linear congruential generator, the same everywhere).
func randomNumbers(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed &* 6_364_136_223_846_793_005 &+ 1
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
    }
}
