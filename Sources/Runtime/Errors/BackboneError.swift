// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The one error of the library: which kind of failure, and a line of text for a person. It owns no memory, so it can
/// be thrown when memory has run out.
public struct BackboneError: Error, BitwiseCopyable {
    /// The kinds of failure that callers can tell apart, with the numbers of the `BACKBONE_STATUS_*` constants.
    public enum Kind: Int32, Sendable, BitwiseCopyable {
        case invalidArgument = 1
        case outOfMemory = 2
        case fileNotFound = 3
        case io = 4
        case badCheckpoint = 5
        case mismatch = 6
        case unknownName = 7
        case cancelled = 8
        case stale = 9
        case notFinite = 10
    }

    public let kind: Kind
    public let message: Message

    public init(_ kind: Kind, _ message: Message) {
        self.kind = kind
        self.message = message
    }
}
