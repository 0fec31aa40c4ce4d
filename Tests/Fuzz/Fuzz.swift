// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Glibc

/// The target that BACKBONE_FUZZ_TARGET names, and a file in memory that it is given.
private struct Session: @unchecked Sendable {
    let target: Target
    let descriptor: Int32
    let path: String

    static let shared: Session = {
        let name = getenv("BACKBONE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = Target.all.first(where: { $0.name == name }) else {
            stop("BACKBONE_FUZZ_TARGET is '\(name)', not one of \(Target.all.map(\.name))")
        }
        var template = Array("/dev/shm/backbone-fuzz-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0, unlink(template) == 0 else {
            stop("/dev/shm is not there to write files to")
        }
        return Session(target: target, descriptor: descriptor, path: "/proc/self/fd/\(descriptor)")
    }()
}

private func stop(_ text: String) -> Never {
    _ = (text + "\n").withCString { write(2, $0, strlen($0)) }
    exit(2)
}

/// Called by libFuzzer for each of its inputs.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let session = Session.shared
    let file = session.target.file(UnsafeBufferPointer(start: data, count: size))
    // For those who want to keep the file that was made of an input.
    if let path = getenv("BACKBONE_FUZZ_FILE"), let stream = fopen(path, "w") {
        fwrite(file, 1, file.count, stream)
        fclose(stream)
    }
    guard ftruncate(session.descriptor, file.count) == 0,
        pwrite(session.descriptor, file, file.count, 0) == file.count
    else { fatalError("no file can be written") }
    session.target.use(session.path)
    return 0
}
