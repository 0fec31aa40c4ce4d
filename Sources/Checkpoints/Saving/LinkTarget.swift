// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The path, with a terminating zero, of the file that a path names, whether it exists or not: symbolic links of the
/// last component are followed. The system follows those of the folders.
func followingLinks(_ path: UnsafePointer<CChar>) throws(BackboneError) -> UniqueArray<CChar> {
    var current = UniqueArray<CChar>()
    try current.append(UnsafeBufferPointer(start: path, count: strlen(path) + 1))
    // Linux' PATH_MAX: no path is longer.
    var target = try UniqueArray<CChar>(repeating: 0, count: 4096)
    // The kernel follows at most 40 links.
    for _ in 0...40 {
        var status = stat()
        guard let start = current.elements.baseAddress, let room = target.mutableElements.baseAddress else {
            return current
        }
        if lstat(start, &status) != 0 {
            // The file does not exist yet, or its folder is missing.
            guard shims_errno() == ENOENT else { throw BackboneError.system("cannot write it", shims_errno()) }
            return current
        }
        if shims_is_link(&status) == 0 { return current }
        let length = readlink(start, room, target.count)
        guard length > 0, length < target.count else { throw BackboneError.system("cannot follow it", shims_errno()) }
        let isAbsolute = target[0] == CChar(bitPattern: UInt8(ascii: "/"))
        let folder = isAbsolute ? 0 : folderLength(of: current.elements)
        var next = UniqueArray<CChar>()
        try next.append(UnsafeBufferPointer(rebasing: current.elements[0..<folder]))
        try next.append(UnsafeBufferPointer(rebasing: target.elements[0..<length]))
        try next.append(0)
        current = next
    }
    throw BackboneError.system("cannot follow it", ELOOP)
}

/// The length of a path up to and including its last slash.
func folderLength(of path: UnsafeBufferPointer<CChar>) -> Int {
    var length = path.count
    while length > 0 && path[length - 1] != CChar(bitPattern: UInt8(ascii: "/")) { length -= 1 }
    return length
}
