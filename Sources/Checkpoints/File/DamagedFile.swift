// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension BackboneError {
    /// A file that is cut off or contradicts itself: the message, and what to do about any such file.
    static func damagedFile(_ message: Message) -> BackboneError {
        BackboneError(.badCheckpoint, "\(message); download or save it again")
    }
}
