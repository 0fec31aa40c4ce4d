// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension BackboneError {
    /// An error of the system: what failed, and the system's reason.
    static func system(_ action: StaticString, _ number: Int32) -> BackboneError {
        let kind: Kind
        switch number {
        case ENOENT, ENOTDIR: kind = .fileNotFound
        case ENOMEM: kind = .outOfMemory
        default: kind = .io
        }
        return BackboneError(kind, "\(action): \(errno: number)")
    }

    /// The same error, prefixed with its file.
    func located(in path: UnsafePointer<CChar>) -> BackboneError {
        BackboneError(kind, "\(path: path): \(message)")
    }
}

extension Message.Interpolation {
    /// The system's description of an errno.
    mutating func appendInterpolation(errno number: Int32) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { text in
            // The POSIX function, which is thread-safe and returns a status.
            if let start = text.baseAddress, strerror_r(number, start, text.count) == 0 {
                appendInterpolation(UnsafePointer(start))
            } else {
                appendLiteral("error ")
                appendInterpolation(number)
            }
        }
    }

    /// A path, of which only the end is kept if it would crowd out the message.
    package mutating func appendInterpolation(path: UnsafePointer<CChar>) {
        let room = 200
        let length = strlen(path)
        guard length > room else { return appendInterpolation(path) }
        appendLiteral("...")
        var end = path + (length - room)
        // Not from inside a UTF-8 character, which has at most three such bytes.
        for _ in 0..<3 where UInt8(bitPattern: end[0]) & 0xc0 == 0x80 { end += 1 }
        appendInterpolation(end)
    }
}
