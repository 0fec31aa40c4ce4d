// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// Whether a call is to end early: a counter that every cancel raises, and its value when the call began.
///
/// A cancel thus ends the calls in progress and no later one, needs no lock, and may come from a signal handler.
/// It is sticky: once cancelled, a call stays cancelled.
package struct Cancellation: BitwiseCopyable, @unchecked Sendable {
    private let counter: UnsafePointer<Int32>?
    private let valueAtEntry: Int32

    /// The value for calls that cannot be cancelled.
    package static var none: Cancellation { Cancellation(counter: nil, valueAtEntry: 0) }

    private init(counter: UnsafePointer<Int32>?, valueAtEntry: Int32) {
        self.counter = counter
        self.valueAtEntry = valueAtEntry
    }

    /// The value for a call that begins now. The counter must outlive the call.
    package init(entering counter: UnsafePointer<Int32>) {
        self.init(counter: counter, valueAtEntry: shims_atomic_load(counter))
    }

    /// Whether the call can be cancelled: a wait for something else must then check `isCancelled` now and then.
    package var isPossible: Bool { counter != nil }

    package var isCancelled: Bool {
        guard let counter else { return false }
        return shims_atomic_load(counter) != valueAtEntry
    }

    /// - Throws: `cancelled` if the call is to end.
    package func check() throws(BackboneError) {
        if isCancelled { throw BackboneError(.cancelled, "the call was cancelled by backbone_cancel") }
    }
}
