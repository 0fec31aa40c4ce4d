// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Backbone
import CBackbone
import Checkpoints
import Runtime

/// Opens a checkpoint and reads every tensor in it that is not too large for a fuzzer.
@Sendable func readEverything(_ file: UnsafeRawBufferPointer) {
    expectSoundError { () throws(BackboneError) in
        let dict = try StateDict(memory: file)
        try readTensors(of: dict)
    }
}

/// Opens the state of an optimizer and reads every tensor in it that is not too large for a fuzzer.
@Sendable func readOptimizer(_ file: UnsafeRawBufferPointer) {
    expectSoundError { () throws(BackboneError) in
        let optimizer = try OptimizerDict(memory: file)
        precondition(optimizer.groups.elements.reduce(0, +) == optimizer.entries.count, "groups of other parameters")
        try readTensors(of: optimizer.tensors)
    }
}

private func readTensors(of dict: borrowing StateDict) throws(BackboneError) {
    var destinations = UniqueArray<TensorDestination>()
    var memory: [UnsafeMutableRawPointer] = []
    defer { memory.forEach { $0.deallocate() } }
    for index in 0..<dict.count {
        guard let dtype = dict.dtype(index) else { continue }
        let count = dict.shape(index).reduce(1) { min($0, 1 << 20) * min($1, 1 << 20) }
        guard count <= 1 << 16, memory.count < 1000 else { continue }
        // Exactly as much as is to be written, so that the sanitizer detects a number too many.
        let block = UnsafeMutableRawPointer.allocate(byteCount: Int(count) * 8, alignment: 8)
        memory.append(block)
        try destinations.append(
            dtype.isFloatingPoint
                ? TensorDestination(tensor: index, float32: block.assumingMemoryBound(to: Float.self))
                : TensorDestination(tensor: index, int64: block.assumingMemoryBound(to: Int64.self)))
    }
    try dict.read(destinations)
}

private func expectSoundError(_ body: () throws(BackboneError) -> Void) {
    do throws(BackboneError) {
        try body()
    } catch {
        precondition(error.kind == .badCheckpoint, "an error of another kind")
        precondition(error.message.count > 0, "an error without a message")
    }
}

/// Lets a network of one channel load a checkpoint; what fails must leave it as it was.
@Sendable func loadIntoNetwork(_ file: UnsafeRawBufferPointer) {
    let net = Network.shared
    let before = net.weights()
    var report: OpaquePointer?
    // As far as a load can get: most inputs lack most weights.
    var options = backbone_load_options()
    check(backbone_load_options_init(&options, MemoryLayout<backbone_load_options>.size))
    options.allow_missing = 1
    options.ignore_modules = 1
    let status = backbone_load_weights_from_memory(net.handle, file.baseAddress, file.count, &options, &report)
    switch Int(status) {
    case Int(BACKBONE_STATUS_OK):
        check(backbone_init_weights(net.handle, 0))
    case Int(BACKBONE_STATUS_BAD_CHECKPOINT), Int(BACKBONE_STATUS_MISMATCH):
        precondition(net.weights() == before, "a load that failed has changed the network")
        precondition(backbone_last_error_message()[0] != 0, "an error without a message")
    default: fatalError("status \(status)")
    }
    for nameClass in 0..<5 as Range<Int32> where report != nil {
        var count = 0
        check(backbone_report_count(report, nameClass, &count))
        for index in 0..<count {
            var entry = backbone_report_entry()
            check(backbone_report_get_entry(report, nameClass, index, &entry))
        }
    }
    backbone_report_free(report)
}

private func check(_ status: backbone_status) {
    precondition(status == 0, "a call that cannot fail has failed")
}

private struct Network: @unchecked Sendable {
    static let shared = Network()
    let handle: OpaquePointer

    private init() {
        var options = backbone_options()
        check(backbone_options_init(&options, MemoryLayout<backbone_options>.size))
        options.depth = 18
        options.base_channels = 1
        options.out_stages = UInt32(BACKBONE_STAGE_C2)
        options.threads = 1
        var created: OpaquePointer?
        check(backbone_create(&options, &created))
        guard let created else { fatalError("no network was made") }
        handle = created
    }

    func weights() -> [UInt8] {
        var all: [UInt8] = []
        var count = 0
        check(backbone_entry_count(handle, &count))
        for index in 0..<count {
            var info = backbone_entry_info()
            check(backbone_get_entry_info(handle, index, &info))
            let size = info.dtype == Int32(BACKBONE_DTYPE_INT64) ? 8 : 4
            var bytes = [UInt8](
                repeating: 0, count: size * Int(info.shape.0 * info.shape.1 * info.shape.2 * info.shape.3))
            check(backbone_read_entry(handle, index, &bytes, bytes.count))
            all += bytes
        }
        return all
    }
}
