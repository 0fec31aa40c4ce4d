// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A file that replaces another only when it is complete: it is written under another name in the same folder, synced,
/// and renamed. Until then, and if anything fails, the existing file is unchanged.
// Public: see UniqueArray.
public struct ReplacementFile: ~Copyable {
    private let descriptor: Int32
    /// The path of the file to replace, after all links.
    private let path: UniqueArray<CChar>
    private let temporaryPath: UniqueArray<CChar>
    /// The permissions of the file to replace; nil if it does not exist.
    private let permissions: mode_t?
    private var isInPlace = false

    /// - Parameter path: of the file to replace or create. If it is a symbolic link, its target is replaced. An
    ///   existing file must be writable; the new one gets its permissions.
    /// - Throws: `fileNotFound` if the folder does not exist, `io`, `outOfMemory`.
    init(path: UnsafePointer<CChar>) throws(BackboneError) {
        let target = try followingLinks(path)
        let permissions = try ReplacementFile.permissions(of: target.elements.baseAddress)
        var attempt = 0
        while true {
            let temporary = try ReplacementFile.temporaryPath(beside: target.elements, attempt)
            // Never accessible to more users than the existing file.
            let descriptor = shims_create_exclusively(temporary.elements.baseAddress, permissions ?? 0o666)
            if descriptor >= 0 {
                self.descriptor = descriptor
                self.path = target
                temporaryPath = temporary
                self.permissions = permissions
                return
            }
            // Left over from a process of the same number that was killed.
            let error = shims_errno()
            guard error == EINTR || error == EEXIST, attempt < 100 else {
                throw BackboneError.system("cannot write to its folder", error)
            }
            if error == EEXIST { attempt += 1 }
        }
    }

    deinit {
        close(descriptor)
        if !isInPlace, let temporary = temporaryPath.elements.baseAddress { unlink(temporary) }
    }

    /// The permissions of the file to replace, nil if it does not exist.
    private static func permissions(of path: UnsafePointer<CChar>?) throws(BackboneError) -> mode_t? {
        var status = stat()
        guard let path else { return nil }
        guard stat(path, &status) == 0 else {
            if shims_errno() == ENOENT { return nil }
            throw BackboneError.system("cannot write it", shims_errno())
        }
        // A rename would also replace a device or an empty folder.
        guard shims_is_regular_file(&status) != 0 else {
            throw BackboneError(
                .io,
                shims_is_directory(&status) != 0
                    ? "folder, not a file; choose another name" : "not a regular file; choose another name")
        }
        guard access(path, W_OK) == 0 else { throw BackboneError.system("cannot write it", shims_errno()) }
        return status.st_mode & 0o7777
    }

    /// `<folder>/.backbone-<process>-<attempt>`
    private static func temporaryPath(
        beside path: UnsafeBufferPointer<CChar>, _ attempt: Int
    ) throws(BackboneError) -> UniqueArray<CChar> {
        let name: Message = ".backbone-\(getpid())-\(attempt)"
        var text = UniqueArray<CChar>()
        try text.append(UnsafeBufferPointer(rebasing: path[0..<folderLength(of: path)]))
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
            if written > 0 {
                done += written
            } else if written == 0 {
                throw BackboneError(.io, "cannot write it: the system accepts no more bytes")
            } else if shims_errno() != EINTR {
                throw BackboneError.system("cannot write it", shims_errno())
            }
        }
    }

    /// Renames the complete file to its path.
    ///
    /// - Throws: `io`. The existing file is then unchanged, unless only the last step failed, which syncs the folder so
    ///   that the new name survives a power failure.
    mutating func commit() throws(BackboneError) {
        if let permissions, fchmod(descriptor, permissions) != 0 {
            throw BackboneError.system("cannot give it the permissions of the existing file", shims_errno())
        }
        try ReplacementFile.synchronize(descriptor)
        // A process that may write to a folder but not list it skips that last step.
        let folder = try openFolder()
        defer { if folder >= 0 { close(folder) } }
        guard rename(temporaryPath.elements.baseAddress, path.elements.baseAddress) == 0 else {
            throw BackboneError.system("cannot rename the complete file to it", shims_errno())
        }
        isInPlace = true
        if folder >= 0 { try ReplacementFile.synchronize(folder) }
    }

    private static func synchronize(_ descriptor: Int32) throws(BackboneError) {
        while fsync(descriptor) != 0 {
            switch shims_errno() {
            case EINTR: continue
            // Some file systems cannot, above all for folders.
            case EINVAL, ENOTSUP: return
            default: throw BackboneError.system("cannot sync it to the disk", shims_errno())
            }
        }
    }

    /// A descriptor of the folder that the file is in, -1 if it may not be opened.
    private func openFolder() throws(BackboneError) -> Int32 {
        let length = folderLength(of: path.elements)
        var folder = UniqueArray<CChar>()
        try folder.append(UnsafeBufferPointer(rebasing: path.elements[0..<length]))
        if length == 0 { try folder.append(CChar(bitPattern: UInt8(ascii: "."))) }
        try folder.append(0)
        while true {
            let descriptor = shims_open_folder(folder.elements.baseAddress)
            if descriptor >= 0 || shims_errno() == EACCES { return descriptor }
            guard shims_errno() == EINTR else { throw BackboneError.system("cannot open its folder", shims_errno()) }
        }
    }
}
