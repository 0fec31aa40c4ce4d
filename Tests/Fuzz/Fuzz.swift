// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Glibc

/// The target that BACKBONE_FUZZ_TARGET names.
private let target: Target = {
    let name = getenv("BACKBONE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    if let target = Target.all.first(where: { $0.name == name }) { return target }
    let text = "BACKBONE_FUZZ_TARGET is '\(name)', not one of \(Target.all.map(\.name))\n"
    _ = text.withCString { write(2, $0, strlen($0)) }
    exit(2)
}()

/// Called by libFuzzer for each of its inputs.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    let file = target.file(UnsafeBufferPointer(start: data, count: size))
    // For those who want to keep the file that was made of an input.
    if let path = getenv("BACKBONE_FUZZ_FILE"), let stream = fopen(path, "w") {
        fwrite(file, 1, file.count, stream)
        fclose(stream)
    }
    // Exactly as much as is to be read, so that the sanitizer detects a byte too many.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: file.count, alignment: 1)
    defer { memory.deallocate() }
    memory.copyBytes(from: file)
    target.use(UnsafeRawBufferPointer(memory))
    return 0
}
