// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A file that takes the place of another only when it is complete: it is written under another name in the same
/// folder, brought to the disk, and renamed. Until then, and if anything fails, the older file is as it was.
// Public: see UniqueArray.
public struct ReplacementFile: ~Copyable {
    private let descriptor: Int32
    private let path: UniqueArray<CChar>
    private let temporaryPath: UniqueArray<CChar>
    private var isInPlace = false

    /// - Parameter path: of the file to replace or make.
    /// - Throws: `fileNotFound` if there is no such folder, `io`, `outOfMemory`.
    init(path: UnsafePointer<CChar>) throws(BackboneError) {
        var own = UniqueArray<CChar>()
        try own.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
        var attempt = 0
        while true {
            let temporary = try ReplacementFile.temporaryPath(beside: path, attempt)
            let descriptor = shims_create_exclusively(temporary.elements.baseAddress)
            if descriptor >= 0 {
                self.descriptor = descriptor
                self.path = own
                temporaryPath = temporary
                return
            }
            // Left over from a process of the same number that was killed.
            guard shims_errno() == EEXIST, attempt < 100 else {
                throw BackboneError.system("cannot write beside it", shims_errno())
            }
            attempt += 1
        }
    }

    deinit {
        close(descriptor)
        if !isInPlace, let temporary = temporaryPath.elements.baseAddress { unlink(temporary) }
    }

    /// `<folder>/.backbone-<process>-<attempt>`
    private static func temporaryPath(
        beside path: UnsafePointer<CChar>, _ attempt: Int
    ) throws(BackboneError) -> UniqueArray<CChar> {
        var folder = strlen(path)
        while folder > 0 && path[folder - 1] != CChar(bitPattern: UInt8(ascii: "/")) { folder -= 1 }
        let name: Message = ".backbone-\(getpid())-\(attempt)"
        var text = UniqueArray<CChar>()
        try text.append(UnsafeBufferPointer(start: path, count: folder))
        var end = try UniqueArray<CChar>(repeating: 0, count: Message.capacity + 1)
        if let start = end.mutableElements.baseAddress { name.write(to: start) }
        try text.append(UnsafeBufferPointer(rebasing: end.elements[0...name.count]))
        return text
    }

    func write(_ memory: UnsafeRawPointer, count: Int) throws(BackboneError) {
        var done = 0
        while done < count {
            // Linux writes at most 2 GB at once.
            let written = CShims.write(descriptor, memory + done, min(count - done, 1 << 30))
            if written >= 0 {
                done += written
            } else if shims_errno() != EINTR {
                throw BackboneError.system("cannot write it", shims_errno())
            }
        }
    }

    /// Puts the file, which is now complete, into its place.
    mutating func commit() throws(BackboneError) {
        guard fsync(descriptor) == 0 else { throw BackboneError.system("cannot write it to the disk", shims_errno()) }
        guard rename(temporaryPath.elements.baseAddress, path.elements.baseAddress) == 0 else {
            throw BackboneError.system("cannot put it into its place", shims_errno())
        }
        isInPlace = true
    }
}
