// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims
import Runtime

@_cdecl("backbone_status_string") @implementation
public func backbone_status_string(_ status: backbone_status) -> UnsafePointer<CChar>! {
    let text: StaticString =
        switch BackboneError.Kind(rawValue: status) {
        case .invalidArgument: "invalid argument"
        case .outOfMemory: "out of memory"
        case .fileNotFound: "file not found"
        case .io: "input or output failed"
        case .badCheckpoint: "bad checkpoint"
        case .mismatch: "checkpoint does not fit the network"
        case .unknownName: "unknown name"
        case .cancelled: "cancelled"
        case .stale: "made for another state of the network"
        case .notFinite: "NaN or infinite values"
        case nil: status == BACKBONE_STATUS_OK ? "success" : "unknown status"
        }
    return UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

@_cdecl("backbone_last_error_message") @implementation
public func backbone_last_error_message() -> UnsafePointer<CChar>! { UnsafePointer(shims_thread_message()) }

/// Runs the body of an entry point in the library's floating-point environment: an error becomes the calling thread's
/// message and a status.
func status(of body: () throws(BackboneError) -> Void) -> backbone_status {
    // The environment of a host, or of a library compiled with -ffast-math, would change bits or trap.
    let environment = shims_float_environment_enter()
    defer { shims_float_environment_leave(environment) }
    do throws(BackboneError) {
        try body()
        return backbone_status(BACKBONE_STATUS_OK)
    } catch {
        error.message.write(to: shims_thread_message())
        return error.kind.rawValue
    }
}

/// A pointer argument that must not be NULL.
func require<Pointer>(_ pointer: Pointer?, _ name: StaticString) throws(BackboneError) -> Pointer {
    guard let pointer else { throw BackboneError(.invalidArgument, "\(name) is NULL, expected a pointer") }
    return pointer
}

/// Memory that is only read: NULL stands for zero bytes.
func requireMemory(_ data: UnsafeRawPointer?, _ size: Int) throws(BackboneError) -> UnsafeRawBufferPointer {
    // C's type has no sign.
    guard size >= 0 else {
        throw BackboneError(
            .invalidArgument,
            "size is \(UInt64(UInt(bitPattern: size))), more than fits into memory; pass the bytes of data")
    }
    guard data != nil || size == 0 else {
        throw BackboneError(.invalidArgument, "data is NULL, but size is \(size), expected 0 or a pointer")
    }
    return UnsafeRawBufferPointer(start: data, count: size)
}

/// An argument that is a boolean.
func requireFlag(_ value: Int32, _ name: StaticString) throws(BackboneError) -> Bool {
    guard value == 0 || value == 1 else {
        throw BackboneError(.invalidArgument, "\(name) is \(value), expected 0 or 1")
    }
    return value == 1
}
