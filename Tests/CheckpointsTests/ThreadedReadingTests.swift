// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime
import Testing

@testable import Checkpoints

/// Threads that share the storages of a file find what one thread finds.
struct ThreadedReadingTests {
    @Test(arguments: MemoryTests.names)
    func sameTensorsOrTheSameError(file: String) throws {
        let path = fixture(file)
        if let alone = failure(path) {
            let shared = try #require(failure(path, threads: 3))
            #expect(shared.kind == alone.kind && shared.text == alone.text)
        } else {
            let (alone, shared) = try (load(path), load(path, threads: 3))
            #expect(shared.map(\.name) == alone.map(\.name))
            #expect(shared.map(\.tensor) == alone.map(\.tensor))
        }
    }

    /// Of several damaged storages, the message tells of the first, whichever thread is done first.
    @Test func theFirstFailureCounts() throws {
        var bytes = try fixtureBytes("layouts-f32.pth")
        let scratch = try Scratch()
        // Their places are told by the local headers; the numbers follow name and padding.
        let headers = bytes.indices.dropLast(4).filter { bytes[$0..<$0 + 4].elementsEqual([0x50, 0x4b, 3, 4]) }
        var damaged = 0
        for header in headers {
            let lengths = (0..<2).map { Int(bytes[header + 26 + 2 * $0]) | Int(bytes[header + 27 + 2 * $0]) << 8 }
            let name = String(decoding: bytes[header + 30..<header + 30 + lengths[0]], as: UTF8.self)
            let first = header + 30 + lengths[0] + lengths[1]
            // Some have no numbers.
            guard name.contains("/data/"), bytes[first] != 0x50 else { continue }
            bytes[first] ^= 1
            damaged += 1
        }
        #expect(damaged > 3)
        let path = try scratch.write("damaged.pth", bytes)
        let alone = try #require(failure(path))
        #expect(alone.text.contains("its checksum is wrong"))
        for _ in 0..<50 { #expect(failure(path, threads: 3)?.text == alone.text) }
    }

    /// Enough of them that all threads come to read some, straight into their place and by way of pieces.
    @Test func everyThreadReadsWhatIsWritten() throws {
        let (tensors, elements) = (32, 1 << 12)
        // Whole numbers below 256, which float32 and bfloat16 have exactly.
        func value(_ tensor: Int, _ index: Int) -> Float { Float((tensor &* 37 &+ index &* index) & 0xff) }
        var header = "{"
        var data: [UInt8] = []
        for tensor in 0..<tensors {
            let isHalf = tensor % 2 == 1
            let start = data.count
            for index in 0..<elements {
                let bits = value(tensor, index).bitPattern
                for shift in isHalf ? [16, 24] : [0, 8, 16, 24] as [UInt32] {
                    data.append(UInt8(truncatingIfNeeded: bits >> shift))
                }
            }
            let type = isHalf ? "BF16" : "F32"
            header += "\(tensor > 0 ? "," : "")\"\(tensor)\":{\"dtype\":\"\(type)\",\"shape\":[\(elements)],"
            header += "\"data_offsets\":[\(start),\(data.count)]}"
        }
        header += "}"
        let size = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
        let scratch = try Scratch()
        let path = try scratch.write("many.safetensors", size + Array(header.utf8) + data)
        let loaded = try load(path, threads: 4)
        #expect(loaded.count == tensors)
        for (name, tensor) in loaded {
            let number = try #require(Int(name))
            #expect(tensor.bits == (0..<elements).map { value(number, $0).bitPattern }, "\(name)")
        }
    }
}
