// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// An open file descriptor, closed with its owner.
// Public: see UniqueArray.
public struct Descriptor: ~Copyable {
    let number: Int32
    /// The descriptor of the process that the path names, as /dev/fd/N does; -1 for none.
    let inherited: Int32

    /// Opens a path without waiting: opening a pipe would otherwise wait for a writer. Its kind is checked afterwards:
    /// before, someone could still replace the file by a pipe.
    ///
    /// - Throws: `fileNotFound`, `io`.
    init(_ path: UnsafePointer<CChar>) throws(BackboneError) {
        inherited = Descriptor.inherited(path)
        var opened = shims_open_for_reading(path)
        if opened < 0 && shims_errno() == ENXIO {
            guard inherited >= 0 else {
                throw BackboneError(.io, "socket or missing device; pass a regular file or a pipe")
            }
            // A socket cannot be opened by a path.
            opened = shims_duplicate(inherited)
        }
        guard opened >= 0 else { throw BackboneError.system("cannot open it", shims_errno()) }
        number = opened
    }

    deinit { close(number) }

    /// The number in /dev/stdin, /dev/fd/N and /proc/self/fd/N; -1 for any other path.
    private static func inherited(_ path: UnsafePointer<CChar>) -> Int32 {
        let text = bytes(ofCString: path)
        if equal(text, "/dev/stdin") { return 0 }
        let folder: StaticString = text.hasPrefix("/dev/fd/") ? "/dev/fd/" : "/proc/self/fd/"
        guard text.hasPrefix(folder) else { return -1 }
        let length = folder.utf8CodeUnitCount
        return decimal(text.slice(length, text.count - length)).flatMap { Int32(exactly: $0) } ?? -1
    }

    func status() throws(BackboneError) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw BackboneError.system("cannot open it", shims_errno()) }
        return status
    }

    func isRegularFile(_ status: stat) -> Bool {
        var status = status
        return shims_is_regular_file(&status) != 0
    }

    func clearNonblocking() { shims_clear_nonblocking(number) }

    /// - Throws: `io` for a folder, with the path to pass instead, and for a block device.
    func requireStream(_ status: stat) throws(BackboneError) {
        var status = status
        if shims_is_directory(&status) != 0 { throw BackboneError(.io, folderMessage(number)) }
        if shims_is_block_device(&status) != 0 {
            throw BackboneError(.io, "block device, not a file; copy the checkpoint to a file")
        }
    }
}
