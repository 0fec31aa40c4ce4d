// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// A checkpoint in memory is what the same bytes in a file are.
struct MemoryTests {
    static let names =
        ((try? FileManager.default.contentsOfDirectory(atPath: fixture(""))) ?? [])
        .filter { !$0.hasSuffix(".txt") && !$0.hasSuffix(".bin") }.sorted()

    @Test func thereAreFixtures() { #expect(MemoryTests.names.count > 150) }

    @Test(arguments: names)
    func sameTensorsOrTheSameError(file: String) throws {
        let (path, bytes) = (fixture(file), try fixtureBytes(file))
        if let error = failure(path) {
            let inMemory = try #require(failure(memory: bytes))
            #expect(inMemory.kind == error.kind)
            let (head, inMemoryHead) = (located(in: path), "memory of \(bytes.count) bytes: ")
            #expect(error.text.hasPrefix(head) && inMemory.text.hasPrefix(inMemoryHead), "\(inMemory.text)")
            // Both end where a message is full.
            let (tail, inMemoryTail) = (error.text.dropFirst(head.count), inMemory.text.dropFirst(inMemoryHead.count))
            #expect(tail.prefix(250) == inMemoryTail.prefix(250))
        } else {
            let (fromFile, fromMemory) = (try load(path), try load(memory: bytes))
            #expect(fromFile.map(\.name) == fromMemory.map(\.name))
            #expect(fromFile.map(\.tensor) == fromMemory.map(\.tensor))
        }
    }

    /// Of long paths, messages have the end.
    private func located(in path: String) -> String {
        (path.utf8.count > 200 ? "..." + path.suffix(200) : path) + ": "
    }

    /// Each cut is in a block of exactly so many bytes: the sanitizer sees a byte too many.
    @Test(arguments: [
        "small-deflated.pth", "small-legacy.pth", "small-tar.pth", "small-numpy2.pkl", "ordered.safetensors",
    ])
    func cutOffAnywhere(file: String) throws {
        let bytes = try fixtureBytes(file)
        // The zeros that end a tar archive may be missing.
        let end = bytes.count - (file.contains("tar") ? 1024 : 0)
        for count in stride(from: 0, to: end, by: max(bytes.count / 64, 1)) {
            guard let error = failure(memory: Array(bytes.prefix(count))) else {
                Issue.record("\(count) bytes are a checkpoint")
                continue
            }
            #expect(error.kind == .badCheckpoint && error.text.hasPrefix("memory of \(count) bytes: "), "\(error.text)")
        }
    }

    @Test func noMemoryIsAnEmptyFile() throws {
        do throws(BackboneError) {
            _ = try StateDict(memory: UnsafeRawBufferPointer(start: nil, count: 0))
            Issue.record("nothing was thrown")
        } catch {
            #expect(error.kind == .badCheckpoint && error.text.hasPrefix("memory of 0 bytes: "), "\(error.text)")
        }
    }
}
