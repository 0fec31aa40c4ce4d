// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Runtime

/// What a caller asks of a load. Texts and the map are borrowed for the time of the call.
package struct LoadRequest {
    /// Unexpected names are errors.
    package var isStrict = false
    /// Entries that the file lacks keep their values.
    package var allowsMissing = false
    /// Modules of the file that the network does not compute are no obstacle.
    package var ignoresModules = false
    package var selection = StateDictSelection()
    package var conversion = InputConversion.exact

    package init() {}

    /// Opens a file.
    package func open(path: UnsafePointer<CChar>) throws(BackboneError) -> StateDict {
        try StateDict(path: path, selection, grammars: Dialect.grammars())
    }

    /// Opens a checkpoint in memory.
    package func open(memory: UnsafeRawBufferPointer) throws(BackboneError) -> StateDict {
        try StateDict(memory: memory, selection, grammars: Dialect.grammars())
    }
}
