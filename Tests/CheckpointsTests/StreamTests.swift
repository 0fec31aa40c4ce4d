// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Foundation
import Runtime
import Testing

@testable import Checkpoints

/// A pipe, a socket or a device is read to its end and is then what the same bytes in a file are.
struct StreamTests {
    /// Opens a checkpoint and counts its tensors; nil and the error if that fails.
    private func open(
        _ path: String, maxStreamBytes: Int = Limits.streamBytes, _ cancellation: Cancellation = .none
    ) -> (count: Int?, error: BackboneError?) {
        do throws(BackboneError) {
            return (try StateDict(path: path, maxStreamBytes: maxStreamBytes, cancellation).count, nil)
        } catch {
            return (nil, error)
        }
    }

    /// Both ends of a pipe with bytes in it that it has room for; the end to write is closed.
    private func pipe(with bytes: [UInt8]) throws -> Int32 {
        var ends: [Int32] = [0, 0]
        try #require(Foundation.pipe(&ends) == 0)
        try #require(write(ends[1], bytes, bytes.count) == bytes.count)
        close(ends[1])
        return ends[0]
    }

    private func writeLater(_ bytes: [UInt8], to path: String, after seconds: Double = 0) -> Thread {
        let thread = Thread {
            Thread.sleep(forTimeInterval: seconds)
            guard let file = FileHandle(forWritingAtPath: path) else { return }
            // In pieces, between which the reader has to wait.
            for start in stride(from: 0, to: bytes.count, by: 100) {
                file.write(Data(bytes[start..<min(start + 100, bytes.count)]))
                if start % 400 == 0 { usleep(1000) }
            }
            try? file.close()
        }
        thread.start()
        return thread
    }

    @Test(arguments: ["ordered.pth", "small-legacy.pth", "small-numpy2.pkl", "small-tar.pth", "ordered.safetensors"])
    func sameTensorsAsInAFile(file: String) throws {
        let end = try pipe(with: fixtureBytes(file))
        defer { close(end) }
        let (piped, inFile) = (try load("/proc/self/fd/\(end)"), try load(fixture(file)))
        #expect(piped.map(\.name) == inFile.map(\.name))
        #expect(piped.map(\.tensor) == inFile.map(\.tensor))
    }

    @Test func aNamedPipeWaitsForItsWriter() throws {
        let scratch = try Scratch()
        let bytes = try fixtureBytes("ordered.pth")
        for delay in [0, 0.1] {
            mkfifo(scratch.path("pipe"), 0o600)
            _ = writeLater(bytes, to: scratch.path("pipe"), after: delay)
            #expect(open(scratch.path("pipe")).count == 2)
            unlink(scratch.path("pipe"))
        }
    }

    @Test func anEmptyStreamIsAnEmptyFile() throws {
        let end = try pipe(with: [])
        defer { close(end) }
        let scratch = try Scratch()
        mkfifo(scratch.path("pipe"), 0o600)
        _ = writeLater([], to: scratch.path("pipe"))
        for path in ["/dev/null", "/proc/self/fd/\(end)", scratch.path("pipe")] {
            let error = try #require(open(path).error)
            #expect(error.kind == .badCheckpoint && error.text.contains("is empty"), "\(error.text)")
        }
        // Its writer has come and gone before it is opened by its number.
        let reader = Foundation.open(scratch.path("pipe"), O_RDONLY | O_NONBLOCK)
        close(Foundation.open(scratch.path("pipe"), O_WRONLY))
        defer { close(reader) }
        #expect(open("/dev/fd/\(reader)").error?.kind == .badCheckpoint)
    }

    @Test func aSocketIsReadByItsNumber() throws {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let bytes = try fixtureBytes("ordered.safetensors")
        #expect(send(ends[1], bytes, bytes.count, 0) == bytes.count)
        close(ends[1])
        #expect(open("/dev/fd/\(ends[0])").count == 2)
        close(ends[0])
    }

    @Test func aStreamMayBeAsLongAsIsAllowed() throws {
        let bytes = try fixtureBytes("ordered.pth")
        for (most, count) in [(bytes.count, 2), (bytes.count - 1, nil), (1, nil)] as [(Int, Int?)] {
            let end = try pipe(with: bytes)
            let (found, error) = open("/proc/self/fd/\(end)", maxStreamBytes: most)
            #expect(found == count)
            if count == nil {
                #expect(error?.kind == .io)
                #expect(error?.text.contains("more than \(most) bytes, the limit of max_stream_bytes") == true)
            }
            close(end)
        }
    }

    @Test func whatIsNoCheckpointIsNotReadToItsEnd() throws {
        let error = try #require(open("/dev/zero").error)
        #expect(error.kind == .badCheckpoint && error.text.contains("unknown format"), "\(error.text)")
    }

    @Test func aCancelEndsTheWaitForAWriter() throws {
        let scratch = try Scratch()
        mkfifo(scratch.path("pipe"), 0o600)
        // One that nobody opens, and one whose writer says nothing.
        for isOpen in [false, true] {
            let counter = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
            counter.initialize(to: 0)
            defer { counter.deallocate() }
            let writer = isOpen ? Foundation.open(scratch.path("pipe"), O_RDWR) : -1
            let address = UInt(bitPattern: counter)
            let thread = Thread {
                usleep(50_000)
                UnsafeMutablePointer<Int32>(bitPattern: address)?.pointee = 1
            }
            let cancellation = Cancellation(entering: counter)
            thread.start()
            #expect(open(scratch.path("pipe"), cancellation).error?.kind == .cancelled)
            if writer >= 0 { close(writer) }
        }
    }

    @Test func aFolderIsToldWithTheFileToLoad() throws {
        let scratch = try Scratch()
        func message(_ names: [String]) throws -> String {
            for name in scratch.names { try FileManager.default.removeItem(atPath: scratch.path(name)) }
            for name in names { _ = try scratch.write(name, []) }
            let error = try #require(open(scratch.folder.path).error)
            #expect(error.kind == .io)
            return error.text
        }
        #expect(try message([]).contains(": folder, not a file"))
        #expect(try message([".metadata", "__0_0.distcp"]).contains("dcp_to_torch_save(FOLDER, FILE)"))
        #expect(try message(["data.pkl", "version"]).contains("unpacked checkpoint"))
        #expect(try message(["config.json", "model.safetensors"]).hasSuffix("load its file model.safetensors"))
        let index = "pytorch_model.bin.index.json"
        #expect(try message([index]).hasSuffix("load its file \(index)"))
        #expect(try message(["saved_model.pb"]).contains("TensorFlow"))
    }
}
