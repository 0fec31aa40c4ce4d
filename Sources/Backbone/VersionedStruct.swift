// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// A struct of the header that grows from version to version and has its size in its first field.
struct VersionedStruct {
    /// The name in messages.
    let name: StaticString
    /// The size of the first published version.
    let firstSize: Int
    /// The size of this version.
    let size: Int

    /// A size above this is surely an error.
    private static var maximumSize: Int { 4096 }

    func check(size: Int) throws(BackboneError) {
        // Structs of pointers end after a whole one: with another size, half a pointer would be read as a whole one.
        guard size >= firstSize && size <= VersionedStruct.maximumSize, size % MemoryLayout<UnsafeRawPointer>.size == 0
        else {
            throw BackboneError(
                .invalidArgument, "struct_size of the options is \(size), expected sizeof(\(name)), here \(self.size)")
        }
    }

    /// Copies a caller's struct, of an older or newer version than this one, over one that holds the defaults.
    ///
    /// Fields that the caller does not know keep their defaults; bytes that this version does not know must be zero.
    func read(_ source: UnsafeRawPointer, into own: UnsafeMutableRawPointer) throws(BackboneError) {
        let size = Int(source.load(as: UInt32.self))
        try check(size: size)
        own.copyMemory(from: source, byteCount: min(size, self.size))
        own.storeBytes(of: UInt32(self.size), as: UInt32.self)
        for offset in min(size, self.size)..<size where source.load(fromByteOffset: offset, as: UInt8.self) != 0 {
            throw BackboneError(
                .invalidArgument,
                """
                options.struct_size is \(size) and byte \(offset) is set, expected 0 after byte \(self.size); fill the \
                struct with its init function, or use a newer library
                """
            )
        }
    }

    /// Writes as much of a struct of this version to a caller's struct as fits into it.
    func write(_ own: UnsafeRawPointer, to out: UnsafeMutableRawPointer, size: Int) {
        memset(out, 0, size)
        out.copyMemory(from: own, byteCount: min(size, self.size))
        out.storeBytes(of: UInt32(size), as: UInt32.self)
    }
}
