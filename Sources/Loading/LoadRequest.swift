// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// A caller's request for a load. Texts and the map are borrowed for the time of the call.
package struct LoadRequest {
    /// Unexpected names are errors.
    package var isStrict = false
    /// Entries that the file lacks keep their values.
    package var allowsMissing = false
    /// Modules of the file that the network does not compute do not fail the load.
    package var ignoresModules = false
    package var selection = StateDictSelection()
    package var conversion = InputConversion.exact
    /// The network's classifier keeps its values, whatever the file has.
    package var keepsHead = false
    /// The largest number of bytes of a stream.
    package var maxStreamBytes = Limits.streamBytes

    package init() {}

    /// Opens the file or reads the stream that a path names. No lock may be held: a stream may keep one waiting.
    package func open(
        path: UnsafePointer<CChar>, _ cancellation: Cancellation = .none
    ) throws(BackboneError) -> StateDict {
        try StateDict(
            path: path, selection, grammars: Dialect.grammars(), maxStreamBytes: maxStreamBytes, cancellation)
    }

    /// Opens a checkpoint in memory.
    package func open(
        memory: UnsafeRawBufferPointer, _ cancellation: Cancellation = .none
    ) throws(BackboneError) -> StateDict {
        try StateDict(memory: memory, selection, grammars: Dialect.grammars(), cancellation)
    }
}
